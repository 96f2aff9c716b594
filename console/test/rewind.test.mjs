/** Going back in a live stream: where a viewer is, as arithmetic; and the line of the watch page in a real browser, from the real server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encode, merge, publish, repeated } from "./publisher.mjs";
import { source } from "./sources.mjs";
import { awaitPhase, openBrowser, openPage, playback, shoot } from "./stage.mjs";

const { behindInWords, headOf, keptOf, placeOf } = await source("live/kept.ts");
const { catchUp, initialState } = await source("live/catch-up.ts");
const { pictureUrl, Previews } = await source("live/previews.ts");

const url = process.env.HEADWATER_URL?.replace(/\/$/, "");
const rtmp = (process.env.HEADWATER_RTMP ?? "rtmp://127.0.0.1:1935").replace(/\/$/, "");
const ONLY_REAL = { skip: url ? false : "needs a real server" };

const stream = (more) => ({ state: "live", window: { from_ms: 10_000, to_ms: 70_000 }, ...more });

test("the head goes on while the publisher is there", () => {
  assert.equal(keptOf(null, 5), null);
  assert.equal(keptOf(stream({ window: null }), 5), null);
  assert.equal(headOf(keptOf(stream(), 5), 8), 73);
  assert.equal(headOf(keptOf(stream({ state: "paused" }), 5), 8), 70);
});

test("a place is known by where its attempt began, or by what is still to be shown", () => {
  const kept = keptOf(stream(), 0);
  const at = (more) => placeOf(kept, 2, { offset: null, playhead: 3, latency: 0.7, atHead: true, ...more });
  assert.deepEqual(at({}), { from: 10, to: 72, time: 71.3, atHead: true });
  assert.equal(at({ offset: 20, atHead: false }).time, 23);
  assert.equal(at({ offset: 0, playhead: 1 }).time, 10, "what is not kept any more is no place");
  assert.equal(placeOf(keptOf(stream({ window: { from_ms: 0, to_ms: 1_000 } }), 0), 0, { offset: null, playhead: 0, latency: 0, atHead: true }), null);
  assert.equal(behindInWords(at({})), "Live");
  assert.equal(behindInWords(at({ offset: 46, atHead: false })), "23 s behind");
  assert.equal(behindInWords({ from: 0, to: 300, time: 113, atHead: false }), "3:07 behind");
});

test("who has gone back is neither hurried nor moved on, but over a gap", () => {
  const seen = { now: 100, playhead: 10, ranges: [[0, 40]], paused: false, starved: false, playedFor: 60, atHead: false };
  const state = { ...initialState(0), starved: false, playhead: 10 };
  assert.deepEqual([catchUp(state, seen).rate, catchUp(state, seen).seekTo], [1, null]);
  const gap = catchUp({ ...state, playhead: 9.9 }, { ...seen, playhead: 10, ranges: [[0, 9.95], [12, 40]] });
  assert.equal(gap.seekTo, 12);
});

test("of pictures over the line one is asked for at a time, and of those passed over only the last", async () => {
  const [asked, seen] = [[], []];
  const previews = new Previews((url) => new Promise((resolve) => asked.push([url, resolve])), (preview) => seen.push(preview?.url ?? null));
  const arrives = async () => {
    const [url, resolve] = asked.at(-1);
    resolve({ url, width: 160, height: 90 });
    await sleep(0);
  };
  for (const url of ["a", "a", "b", "c"]) previews.want(url);
  assert.deepEqual(asked.map(([url]) => url), ["a"]);
  await arrives();
  await arrives();
  assert.deepEqual([asked.map(([url]) => url), seen], [["a", "c"], ["a", "c"]]);
  previews.want("d");
  previews.want(null);
  await arrives();
  assert.deepEqual(seen, ["a", "c", null], "nobody looks any more");
  previews.want("e");
  await arrives();
  assert.deepEqual(seen.at(-1), "e");

  const place = { from: 10.5, to: 70.25 };
  const url = (at) => pictureUrl("/live/a/thumbnail.jpg?key=x", place, at);
  assert.equal(url(33.7), "/live/a/thumbnail.jpg?key=x&t=32.0&width=400");
  assert.equal(url(33.7), url(32.1));
  assert.match(url(10.6), /t=10\.5&/, "never before what is kept");
  assert.match(url(70.25), /t=70\.0&/);
});

let browser;
let clip;
before(async () => {
  if (!url) return;
  browser = await openBrowser();
  const picture = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-f", "lavfi", "-i", "sine=f=440:r=48000", "-t", "4"];
  const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p", "-b:v", "300k", "-c:a", "aac", "-ac", "2"];
  clip = await encode([...picture, ...codecs]);
});
after(() => browser?.close());

const slider = (page) =>
  page.evaluate(() => {
    const line = document.querySelector('[role="slider"][aria-valuetext]');
    const value = (name) => Number(line.getAttribute(`aria-value${name}`));
    return { from: value("min"), to: value("max"), at: value("now"), text: line.getAttribute("aria-valuetext") };
  });
const badge = (page) => page.locator(".top .live").innerText();
const isLive = (page) => page.waitForFunction(() => document.querySelector("button.head")?.getAttribute("aria-pressed") === "true", null, { timeout: 8000 });
const isBehind = (page) => page.waitForFunction(() => document.querySelector("button.head")?.getAttribute("aria-pressed") === "false");

/** It plays: the clock goes on, at life's pace, for so many seconds. */
async function plays(page, seconds) {
  await awaitPhase(page, "playing");
  const [before, began] = [await playback(page), performance.now()];
  await sleep(seconds * 1000);
  const now = await playback(page);
  const took = (performance.now() - began) / 1000;
  assert.ok(Math.abs(now.time - before.time - took) < 0.6, `${now.time - before.time} s were shown in ${took} s`);
}

test("the line goes back, stays behind, and comes to the head again", { ...ONLY_REAL, timeout: 120_000 }, async (t) => {
  const span = 4000;
  const tags = [...clip.meta, ...merge([...clip.video.configs, ...repeated(clip.video.frames, 60, span)], [...clip.audio.configs, ...repeated(clip.audio.frames, 60, span)])];
  t.after(await publish(rtmp, "live/rewind", tags, { aheadMs: 60_000 }));
  const kept = async () => (await (await fetch(`${url}/api/v1/streams/live/rewind`)).json()).window?.to_ms ?? 0;
  while ((await kept()) < 59_000) await sleep(100);
  const { page, wrongs, close } = await openPage(browser, `${url}/watch/live/rewind`);
  t.after(close);
  await awaitPhase(page, "playing");
  await page.waitForSelector('[role="slider"][aria-valuetext="Live"]');
  await page.mouse.move(640, 400);
  await shoot(page, "rewind-live");

  // To the middle of the line.
  const line = page.locator('[role="slider"][aria-valuetext]');
  const box = await line.boundingBox();
  await page.mouse.move(box.x + box.width * 0.9, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await isBehind(page);
  await plays(page, 2);
  let seen = await slider(page);
  const middle = (seen.from + seen.to) / 2;
  assert.ok(Math.abs(seen.at - middle) < 6, `${JSON.stringify(seen)} is not the middle`);
  const behind = seen.to - seen.at;
  assert.match(await badge(page), /^\d+ s behind$/);
  assert.ok(Math.abs(parseInt(await badge(page)) - behind) < 3, `${await badge(page)}: ${behind} s`);
  // The picture of a place is shown over it; of another place, another one.
  const shownOver = async (share) => {
    const before = await page.evaluate(() => document.querySelector(".peek .picture")?.style.backgroundImage ?? "");
    await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
    await page.waitForFunction((old) => !["", old].includes(document.querySelector(".peek .picture")?.style.backgroundImage ?? ""), before, { timeout: 8000 });
    return page.evaluate(async () => {
      const picture = document.querySelector(".peek .picture");
      const url = picture.style.backgroundImage.slice(5, -2);
      const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
      return { seconds: Number(new URL(url, location.href).searchParams.get("t")), size: [picture.clientWidth, picture.clientHeight], bytes: bytes.join() };
    });
  };
  const [one, other] = [await shownOver(0.3), await shownOver(0.72)];
  const { from, to } = await slider(page);
  for (const [share, { seconds, size }] of [[0.3, one], [0.72, other]]) {
    assert.ok(Math.abs(from + (to - from) * share - seconds) < 3, `over ${share} of ${from} to ${to} it is of ${seconds}`);
    assert.deepEqual(size, [400, 225]);
  }
  await shoot(page, "rewind-behind");
  await page.mouse.move(640, 300);
  await page.waitForFunction(() => document.querySelector(".peek") === null);
  await plays(page, 3);
  seen = await slider(page);
  assert.ok(Math.abs(seen.to - seen.at - behind) <= 1, `it was ${behind} s behind, and is ${JSON.stringify(seen)}`);

  // By key: back and on within what is buffered, or not; and to the head.
  for (const [key, by] of [["ArrowLeft", -5], ["j", -10], ["ArrowRight", 5]]) {
    const before = await slider(page);
    await page.keyboard.press(key);
    await sleep(300);
    await awaitPhase(page, "playing");
    const { at } = await slider(page);
    assert.ok(Math.abs(at - before.at - by) <= 3, `${key} went from ${before.at} to ${at}`);
  }
  await page.keyboard.press("End");
  await isLive(page);
  await plays(page, 1);
  assert.equal(await badge(page), "Live");
  assert.ok((await playback(page)).behind < 4);

  // A pause goes on where it stood: a short one in what is buffered, a long one in the window.
  for (const seconds of [3, 17]) {
    await page.keyboard.press("k");
    await awaitPhase(page, "paused");
    await isBehind(page);
    const stood = await slider(page);
    await sleep(seconds * 1000);
    await page.keyboard.press("k");
    await plays(page, 1);
    seen = await slider(page);
    assert.ok(Math.abs(seen.at - stood.at - 1) <= 2, `it stood at ${stood.at} and goes on at ${seen.at}`);
    assert.ok(Math.abs(seen.to - seen.at - seconds) <= 5, `${JSON.stringify(seen)} after ${seconds} s`);
    await page.locator("button.head").click();
    await isLive(page);
    await plays(page, 1);
  }
  await page.keyboard.press("Home");
  await isBehind(page);
  await plays(page, 1);
  seen = await slider(page);
  assert.ok(seen.at - seen.from < 4, `${JSON.stringify(seen)} is not the oldest`);
  await page.keyboard.press("l");
  await isLive(page);
  assert.deepEqual(wrongs, []);
});
