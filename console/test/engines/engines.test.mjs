/**
 * The pages in other engines than Chromium: Debian's Firefox and WebKitGTK, against the real server (`HEADWATER_URL`,
 * `HEADWATER_RTMP`, `HEADWATER_MEDIA`). The live page plays as it does by itself, and by HLS where no FLV comes through;
 * films play as files and cut into segments. WebKitGTK plays HLS by Media Source Extensions alone: for a browser that has
 * none, see `live-hls.test.mjs`. `npm run test:engines`; `HEADWATER_ENGINE_SECONDS`
 * plays live for longer.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFilm } from "../../dev/films.mjs";
import { openServer } from "../stage.mjs";
import { openFirefox } from "./firefox.mjs";
import { openProxy } from "./proxy.mjs";
import { openWebKit } from "./webkit.mjs";

const ONLY_REAL = { skip: process.env.HEADWATER_URL && process.env.HEADWATER_MEDIA ? false : "needs the real server" };
const SECONDS = Number(process.env.HEADWATER_ENGINE_SECONDS ?? 4);
const FILM_SECONDS = Math.min(SECONDS, 20);
const BEGUN_WITHIN_MS = 30_000;
const TRIES_MAX = 4;
const FILMS = { "engines.mp4": "mp4", "engines.flv": "flv" };

let server;
before(async () => {
  if (ONLY_REAL.skip) return;
  server = await openServer();
  for (const [name, kind] of Object.entries(FILMS)) await makeFilm(server.media, name, kind, 30);
}, { timeout: 120_000 });
after(async () => {
  for (const name of Object.keys(FILMS)) if (server) await rm(join(server.media, name), { force: true });
  await server?.close();
});

/** What a page is at: of the element and of the page around it. */
const STATE = `(() => {
  const video = document.querySelector("video");
  const { phase, source } = document.querySelector("main")?.dataset ?? {};
  const frames = video?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
  return { phase, source, src: video?.src ?? "", at: video?.currentTime ?? 0, frames, width: video?.videoWidth ?? 0 };
})()`;
/** A film waits for its large button. */
const PRESS_PLAY = `[...document.querySelectorAll("button")].find((button) => button.ariaLabel === "Play the film" || button.textContent.includes("Play the film"))?.click()`;

/**
 * The page plays for so long: its clock goes on, and pictures are decoded. A machine that does much else may hold up the
 * beginning, so there are some tries.
 */
async function plays(page, seconds) {
  await begins(page);
  const tries = [];
  while (tries.length < TRIES_MAX) {
    const before = await page.evaluate(STATE);
    await sleep(seconds * 1000);
    const now = await page.evaluate(STATE);
    const [played, shown] = [now.at - before.at, now.frames - before.frames];
    if (now.phase === "playing" && played > seconds * 0.7 && shown > seconds * 10 && now.width === 640) return { ...now, played, shown };
    tries.push([before, now]);
  }
  assert.fail(`it does not play: ${JSON.stringify(tries)}`);
}

async function begins(page) {
  for (const until = Date.now() + BEGUN_WITHIN_MS; ; await sleep(200)) {
    const state = await page.evaluate(STATE);
    if (state.phase === "playing" && state.at > 0) return;
    if (state.phase === "ready") await page.evaluate(PRESS_PLAY);
    assert.ok(Date.now() < until, `it does not begin: ${JSON.stringify(state)}`);
  }
}

/** Opens a page behind a proxy, has it play, and closes it; tells where it stood and what was asked for. */
async function watch(t, browser, path, { flv = true, seconds = SECONDS } = {}) {
  const proxy = await openProxy(server.url, { flv });
  t.after(proxy.close);
  const page = await browser.open(proxy.url + path);
  try {
    const state = await plays(page, seconds);
    t.diagnostic(`${browser.name}: ${state.played.toFixed(1)} s and ${state.shown} pictures in ${seconds} s`);
    assert.deepEqual([...(await page.evaluate("window.wrongs")), ...proxy.seen.refused], []);
    return { ...state, ...proxy.seen };
  } finally {
    await page.close();
  }
}

for (const [name, open] of [["Firefox", openFirefox], ["WebKitGTK", openWebKit]]) {
  test(name, ONLY_REAL, async (t) => {
    const browser = await open();
    t.after(() => browser.close());
    const path = `live/engines-${name.toLowerCase()}`;
    const end = await server.publish(path, "av");
    t.after(end);
    await t.test("plays live over a WebSocket", async (t) => {
      const { sockets, fragments } = await watch(t, browser, `/watch/${path}`);
      assert.ok(sockets >= 1 && fragments === 0, `${sockets} sockets, ${fragments} fragments of HLS`);
    });
    await t.test("plays live over HLS where no FLV comes through", async (t) => {
      const { sockets, fragments } = await watch(t, browser, `/watch/${path}`, { flv: false });
      assert.ok(sockets === 0 && fragments > SECONDS, `${fragments} fragments of HLS were asked for`);
    });
    await t.test("plays a film as the file it is", async (t) => {
      const { source } = await watch(t, browser, "/watch/vod/engines.mp4", { seconds: FILM_SECONDS });
      assert.equal(source, "file");
    });
    await t.test("plays a film of FLV cut into segments", async (t) => {
      const { source, fragments } = await watch(t, browser, "/watch/vod/engines.flv", { seconds: FILM_SECONDS });
      assert.ok(source === "hls" && fragments > 1, `${fragments} segments from ${source}`);
    });
  });
}
