/** More tabs of live pages than a browser opens connections to a server: all play, and none takes another's place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { awaitPhase, browser, playback, server, setStage, shoot } from "./stage.mjs";

/** HTTP/1.1 has six connections for each server. */
const TABS = 7;

/** The fake server encodes for each viewer anew. */
const REAL = { skip: process.env.HEADWATER_URL ? false : "needs the real server" };

setStage();

test("seven tabs of one browser play at once", REAL, async (t) => {
  const end = await server.publish("live/tabs", "av");
  const context = await browser.newContext({ viewport: { width: 640, height: 400 } });
  t.after(async () => {
    await context.close();
    await end();
  });
  const tabs = [];
  for (let tab = 0; tab < TABS; tab++) {
    const page = await context.newPage();
    await page.goto(`${server.url}/watch/live/tabs`);
    tabs.push(page);
  }
  // Seven pictures at once are much for a small machine.
  await Promise.all(tabs.map((page) => awaitPhase(page, "playing", 60_000)));
  const first = await Promise.all(tabs.map(playback));
  await sleep(3000);
  const second = await Promise.all(tabs.map(playback));
  second.forEach((now, tab) => assert.ok(now.time > first[tab].time + 0.5, `tab ${tab}: ${first[tab].time} to ${now.time}`));
  // The server still answers this browser.
  await tabs[0].goto(`${server.url}/watch/live/tabs`);
  await awaitPhase(tabs[0], "playing", 60_000);
  await shoot(tabs[TABS - 1], "seventh-tab");
});
