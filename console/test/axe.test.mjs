/** What axe has to say of each page, dark and light, narrow and wide, in both languages: nothing. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { awaitPhase, browser, openPage, server, setStage, shoot } from "./stage.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

setStage(() => server.publish("live/for axe", "av"));

const PAGES = [
  { name: "console", path: "/", there: "article" },
  { name: "share", path: "/", there: "article", act: (page) => page.locator("article .icon").first().click() },
  { name: "clip", path: "/", there: "article .recording", act: (page) => page.locator("article .icon").nth(1).click(), real: true },
  { name: "films", path: "/#films", there: ".panel" },
  { name: "watch", path: "/watch/live/for%20axe", there: "video", playing: true },
  { name: "waiting", path: "/watch/live/nobody", there: ".notice h2" },
  { name: "no film", path: "/watch/vod/none.mp4", there: ".notice h2" },
  { name: "login", path: "/login", there: "form", real: true },
  { name: "404", path: "/nowhere", there: ".button", real: true },
];
const LOOKS = [
  { scheme: "dark", locale: "en-GB", size: [1280, 800] },
  { scheme: "light", locale: "zh-CN", size: [390, 844] },
  { scheme: "light", locale: "en-GB", size: [1280, 800] },
  { scheme: "dark", locale: "zh-CN", size: [390, 844] },
];

for (const { name, path, there, playing, act, real } of PAGES) {
  test(`axe on ${name}`, { skip: real && !process.env.HEADWATER_URL ? "needs the real server" : false }, async () => {
    for (const look of LOOKS) {
      const { page, close } = await openPage(browser, server.url + path, look);
      await page.locator(there).first().waitFor();
      if (playing) await awaitPhase(page, "playing", 30_000);
      await act?.(page);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const said = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
      assert.deepEqual(said, [], `${look.scheme}, ${look.locale}, ${look.size}`);
      await shoot(page, `look-${name.replace(" ", "-")}-${look.scheme}-${look.locale}`);
      await close();
    }
  });
}
