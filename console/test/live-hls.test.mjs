/**
 * Live HLS as other people's players play it, in a real browser from the real server: hls.js with low latency, shaka and
 * video.js. Pictures have to move without a stall, hls.js near the live edge, and all of them through a publisher's
 * absence. `HEADWATER_HLS_SECONDS` plays for longer.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encode, later, merge, publish, repeated } from "./publisher.mjs";
import { awaitPhase, openBrowser, openPage, openServer, playback } from "./stage.mjs";

const ONLY_REAL = { skip: process.env.HEADWATER_URL ? false : "needs a real server" };
const SECONDS = Number(process.env.HEADWATER_HLS_SECONDS ?? 12);
/** So far behind the server's clock a picture comes only if low latency does not work at all; how far it is, is printed. */
const LATENCY_MAX_S = 6;
/** A machine that does much else stalls a player that is a second behind, now and then. */
const STALLS_MAX = 3 + Math.floor(SECONDS / 120);

const require = createRequire(import.meta.url);
const file = (name, path) => join(dirname(require.resolve(`${name}/package.json`)), path);

/** What each player is made of, and how it begins; all tell what they are at in `window.seen`. */
const PLAYERS = {
  "hls.js": {
    script: () => file("hls.js", "dist/hls.min.js"),
    begin: (url) => {
      const hls = new window.Hls({ lowLatencyMode: true, enableWorker: false });
      hls.on(window.Hls.Events.ERROR, (_, { fatal, details, reason }) => {
        if (fatal || details === "bufferStalledError") window.seen.errors.push(`${details} ${reason ?? ""}`);
      });
      window.behind = () => (hls.playingDate ? (Date.now() - hls.playingDate.getTime()) / 1000 : null);
      hls.loadSource(url);
      hls.attachMedia(document.querySelector("video"));
    },
  },
  // It keeps three segments between itself and the live edge, where there are as many; with fewer any delay is a stall.
  shaka: {
    age: 13_000,
    script: () => file("shaka-player", "dist/shaka-player.compiled.js"),
    begin: async (url) => {
      window.shaka.polyfill.installAll();
      const player = new window.shaka.Player();
      // Parts that it has fetched it leaves out (shaka-player#10589).
      player.configure({ streaming: { lowLatencyMode: false }, manifest: { defaultPresentationDelay: 6 } });
      await player.attach(document.querySelector("video"));
      player.addEventListener("error", ({ detail }) => {
        if (detail.severity === 2) window.seen.errors.push(`shaka ${detail.code}`);
      });
      window.behind = () => {
        const at = player.getPlayheadTimeAsDate();
        return at ? (Date.now() - at.getTime()) / 1000 : null;
      };
      await player.load(url);
    },
  },
  // Its own low latency stands still at the start for some seconds; without it, as most pages have it.
  "video.js": {
    script: () => file("video.js", "dist/video.min.js"),
    begin: (url) => {
      const player = window.videojs(document.querySelector("video"), { liveui: true, html5: { vhs: { llhls: false } } });
      player.on("error", () => window.seen.errors.push(`video.js ${player.error()?.message}`));
      window.behind = () => null;
      player.src({ src: url, type: "application/vnd.apple.mpegurl" });
      player.play();
    },
  },
};

let server;
let browser;
before(async () => {
  if (ONLY_REAL.skip) return;
  server = await openServer();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** A page with nothing in it but the player. */
async function play(t, name, path) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  const { script, begin } = PLAYERS[name];
  // An empty page of the server's own: to one of another origin Chromium refuses this machine.
  await page.goto(`${server.url}/healthz`);
  await page.setContent("<!doctype html><video muted autoplay playsinline width=640></video>");
  await page.evaluate(() => {
    const video = document.querySelector("video");
    window.seen = { errors: [], waits: 0 };
    video.addEventListener("waiting", () => (window.seen.waits += window.seen.begun ? 1 : 0));
    video.addEventListener("playing", () => (window.seen.begun = true));
    // Where the page is told of no gesture, it plays without sound.
    video.muted = true;
  });
  await page.addScriptTag({ path: script() });
  const began = performance.now();
  await page.evaluate(`(${begin})(${JSON.stringify(`${server.url}/${path}/index.m3u8`)})`);
  await page.waitForFunction(() => document.querySelector("video").currentTime > 0 && window.seen.begun, null, { timeout: 20_000 });
  return { page, firstPicture: (performance.now() - began) / 1000 };
}

const state = (page) =>
  page.evaluate(() => {
    const video = document.querySelector("video");
    const { totalVideoFrames: frames } = video.getVideoPlaybackQuality();
    return { ...window.seen, frames, at: video.currentTime, behind: window.behind() };
  });

/** The middle, and what all but one of twenty are below. */
const quantiles = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return { p50: at(0.5), p95: at(0.95) };
};

for (const name of Object.keys(PLAYERS)) {
  test(`${name} plays a live stream without a stall, and through its publisher's absence`, ONLY_REAL, async (t) => {
    const path = `live/hls-${name.replace(".", "-")}`;
    let end = await server.publish(path, "av");
    t.after(() => end());
    await sleep(PLAYERS[name].age ?? 5000);
    const { page, firstPicture } = await play(t, name, path);
    // The player comes to its place behind the live edge.
    await sleep(3000);
    const before = await state(page);
    const behind = [];
    for (const until = performance.now() + SECONDS * 1000; performance.now() < until; ) {
      await sleep(500);
      const now = await state(page);
      if (now.behind !== null) behind.push(now.behind);
    }
    const now = await state(page);
    const isStall = (error) => error.startsWith("bufferStalledError");
    const stalls = Math.max(now.waits - before.waits, now.errors.filter(isStall).length - before.errors.filter(isStall).length);
    assert.deepEqual(now.errors.filter((error) => !isStall(error)), []);
    assert.ok(now.at - before.at > SECONDS * 0.75, `${now.at - before.at} s were played in ${SECONDS} s`);
    assert.ok(now.frames - before.frames > SECONDS * 15, `${now.frames - before.frames} pictures`);
    assert.ok(stalls <= STALLS_MAX, `it stood still ${stalls} times`);
    t.diagnostic(`${stalls} stalls in ${SECONDS} s`);
    if (behind.length > 0) {
      const { p50, p95 } = quantiles(behind);
      t.diagnostic(`first picture after ${firstPicture.toFixed(2)} s; behind the server's clock p50 ${p50.toFixed(2)} s, p95 ${p95.toFixed(2)} s`);
      if (name === "hls.js") assert.ok(p95 < LATENCY_MAX_S, `p95 is ${p95} s behind`);
    }
    // The publisher goes for a while and comes back: the player crosses the gap by itself.
    await end();
    await sleep(3000);
    end = await server.publish(path, "av");
    const returned = (await state(page)).frames;
    await page
      .waitForFunction((frames) => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames > frames + 50, returned, { timeout: 40_000 })
      .catch(async () => assert.fail(`it does not go on: ${JSON.stringify(await state(page))}`));
    assert.deepEqual((await state(page)).errors.filter((error) => !isStall(error)), []);
  });
}

test("shaka begins with a stream that has no complete segment yet", ONLY_REAL, async (t) => {
  t.after(await server.publish("live/hls-begun", "av"));
  const { page, firstPicture } = await play(t, "shaka", "live/hls-begun");
  t.diagnostic(`first picture after ${firstPicture.toFixed(2)} s`);
  assert.deepEqual((await state(page)).errors, []);
});

/** The watch page plays for a while. */
async function watches(page) {
  await awaitPhase(page, "playing", 30_000);
  const before = await playback(page);
  await sleep(4000);
  const now = await playback(page);
  assert.ok(now.time - before.time > 3, JSON.stringify([before, now]));
}

/** The watch page behind a proxy that lets nothing through before the end. */
async function openBehindProxy(t, path) {
  const { page, close } = await openPage(browser, "about:blank");
  t.after(close);
  await page.routeWebSocket(/\.flv/, () => {});
  await page.route(/\.flv/, (route) => route.abort());
  await page.goto(`${server.url}/watch/${path}`);
  return page;
}

test("the watch page plays HLS where nothing that lasts comes through", ONLY_REAL, async (t) => {
  const end = await server.publish("live/hls-page", "av");
  t.after(end);
  const page = await openBehindProxy(t, "live/hls-page");
  await watches(page);
  const asked = await page.evaluate(() => performance.getEntriesByType("resource").some(({ name }) => name.includes(".m4s")));
  assert.ok(asked, "no segment of HLS was asked for");
});

test("a phone that is turned, over HLS: the picture turns at its time, and nothing stands still", ONLY_REAL, async (t) => {
  // The camera takes a moment to begin anew.
  const [turns, turnS, awayMs] = [10, 3, 100];
  const encodeTurn = (size, ...sound) => {
    const picture = ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=25`, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"];
    return encode([...sound, ...picture, "-t", String(turnS)]);
  };
  const sizes = await Promise.all(["320x180", "180x320"].map((size) => encodeTurn(size, "-f", "lavfi", "-i", "sine=r=48000", "-c:a", "aac")));
  const video = Array.from({ length: turns }, (_, n) => {
    const { configs, frames } = sizes[n % 2].video;
    return later([...configs.slice(0, 1), ...frames.filter(({ ms }) => ms < turnS * 1000 - awayMs)], n * turnS * 1000);
  });
  const { meta, audio } = sizes[0];
  const rtmp = process.env.HEADWATER_RTMP.replace(/\/$/, "");
  const tags = [...meta, ...merge(video.flat(), [...audio.configs, ...repeated(audio.frames, turns, turnS * 1000)])];
  t.after(await publish(rtmp, "live/hls-turns", tags));
  const page = await openBehindProxy(t, "live/hls-turns");
  await awaitPhase(page, "playing", 30_000);
  const turned = await page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        const video = document.querySelector("video");
        const times = [];
        video.addEventListener("resize", () => times.push(video.currentTime));
        setTimeout(() => resolve(times), ms);
      }),
    4 * turnS * 1000 + 1000,
  );
  assert.ok(turned.length >= 4, `turned at ${turned}`);
  const lasted = turned.slice(1).map((at, n) => at - turned[n]);
  assert.ok(lasted.every((seconds) => Math.abs(seconds - turnS) < 0.15), `from turn to turn: ${lasted}`);
});

const ONLY_MODERN = { skip: process.env.HEADWATER_FFMPEG ? ONLY_REAL.skip : "needs HEADWATER_FFMPEG" };
test("a publisher that changes to a codec that FLV lacks: the page goes on over HLS, and who went back stays there", ONLY_MODERN, async (t) => {
  let end = await server.publish("live/hls-codecs", "av");
  t.after(() => end());
  const { page, wrongs, close } = await openPage(browser, `${server.url}/watch/live/hls-codecs`);
  t.after(close);
  await awaitPhase(page, "playing");
  await sleep(6000);
  const turnTo = async (kind) => {
    await end();
    end = await server.publish("live/hls-codecs", kind);
  };
  const words = page.evaluate(
    () =>
      new Promise((resolve) => {
        const said = new Set();
        const look = setInterval(() => said.add(document.querySelector("main").dataset.phase), 50);
        setTimeout(() => (clearInterval(look), resolve([...said])), 12_000);
      }),
  );
  await turnTo("vp9+aac");
  await page.waitForFunction(() => document.querySelector("video").videoWidth === 320, null, { timeout: 20_000 });
  await watches(page);
  assert.ok(!(await words).includes("failed"), "what another way brings is no failure");
  await page.keyboard.press("ArrowLeft");
  await sleep(1000);
  await turnTo("av");
  await watches(page);
  const badge = await page.locator(".live").first().textContent();
  assert.match(badge, /\d s behind/);
  assert.equal((await playback(page)).width, 320, "who went back is there still");
  await page.locator("main").press("End");
  await page.waitForFunction(() => document.querySelector("video").videoWidth === 640, null, { timeout: 20_000 });
  // At the head it is FLV again, which is nearer to the publisher.
  await sleep(4000);
  await watches(page);
  assert.deepEqual(wrongs, []);
});

test("the watch page plays in a browser that has HLS and no Media Source Extensions", ONLY_REAL, async (t) => {
  const end = await server.publish("live/hls-native", "av");
  t.after(end);
  await sleep(6000);
  const { page, close } = await openPage(browser, "about:blank");
  t.after(close);
  await page.addInitScript(() => {
    for (const name of ["MediaSource", "ManagedMediaSource", "WebKitMediaSource"]) delete window[name];
  });
  await page.goto(`${server.url}/watch/live/hls-native`);
  await watches(page);
  assert.equal(await page.evaluate(() => document.querySelector("video").src.includes("index.m3u8")), true);
});
