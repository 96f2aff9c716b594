/**
 * What the page checks play on: a server with streams that can be made to begin and end, and a browser that
 * keeps count of what a page did wrong.
 *
 * Without settings it is the fake server over the pages in `dist/`. With `HEADWATER_URL` (`http://127.0.0.1:8080`)
 * it is a real server, ffmpeg publishes to `HEADWATER_RTMP` (`rtmp://127.0.0.1:1935`), and films are put into its media
 * folder, `HEADWATER_MEDIA`. `HEADWATER_SHOTS` names a folder for screenshots; `CHROMIUM` another browser.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startFake } from "../dev/fake-server.mjs";

const PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"];
const TONE = ["-re", "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100"];
const SMALL_PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"];
const INPUTS = { av: [...PICTURE, ...TONE], video: PICTURE, audio: TONE };
const H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", "-threads", "1"];
const AAC = ["-c:a", "aac", "-ac", "2"];

/** What only an ffmpeg muxes that knows Enhanced RTMP: its path stands in `HEADWATER_FFMPEG`. */
export const MODERN = {
  "av1+opus": ["-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "keyint=25:pred-struct=1", "-c:a", "libopus"],
  "hevc+aac": ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "log-level=error:keyint=25", ...AAC],
  "h264+opus": [...H264, "-c:a", "libopus"],
  "h264+flac": [...H264, "-c:a", "flac", "-strict", "-2"],
  "h264+ac3": [...H264, "-c:a", "ac3"],
  "vp9+aac": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", ...AAC],
};

/** What the tests of a file play on, from before its first test to behind its last. */
export let server;
export let browser;

/** Has `server` and `browser` opened for the tests of a file; then it prepares what it plays. */
export function setStage(prepare = async () => {}, options = {}) {
  before(async () => {
    server = await openServer();
    browser = await openBrowser();
    await prepare();
  }, options);
  after(async () => {
    await browser?.close();
    await server?.close();
  });
}

/** `publish(path, kind)` resolves when the server lists the stream, to a function that ends it. */
export async function openServer() {
  const url = process.env.HEADWATER_URL?.replace(/\/$/, "");
  if (!url) {
    const fake = await startFake({ streams: [] });
    const publish = async (path, kind) => {
      fake.add(path, kind);
      return async () => fake.remove(path);
    };
    return { url: fake.url, publish, fake, media: fake.films.folder, close: fake.close };
  }
  const rtmp = (process.env.HEADWATER_RTMP ?? "rtmp://127.0.0.1:1935").replace(/\/$/, "");
  const running = new Set();
  const publish = (path, kind) => publishWithFfmpeg(url, rtmp, path, kind, running);
  const close = async () => running.forEach((child) => child.kill("SIGKILL"));
  return { url, publish, fake: null, media: process.env.HEADWATER_MEDIA ?? null, close };
}

/** The name goes by an option: ffmpeg cuts an address off at a space. */
async function publishWithFfmpeg(url, rtmp, path, kind, running) {
  const [app, ...name] = path.split("/");
  const target = ["-rtmp_app", app, "-rtmp_playpath", name.join("/"), `${rtmp}/${app}`];
  const modern = MODERN[kind];
  const program = modern ? process.env.HEADWATER_FFMPEG : "ffmpeg";
  const input = modern ? [...SMALL_PICTURE, ...TONE] : INPUTS[kind];
  const encode = modern ?? (kind === "audio" ? AAC : [...H264, ...AAC]);
  const child = spawn(program, ["-v", "error", ...input, "-pix_fmt", "yuv420p", ...encode, "-f", "flv", ...target], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.add(child);
  let said = "";
  child.stderr.on("data", (bytes) => (said += bytes));
  const gone = new Promise((resolve) => child.on("close", () => resolve(running.delete(child))));
  for (let i = 0; i < 100; i++) {
    const { streams } = await (await fetch(`${url}/api/v1/streams`)).json();
    if (streams.some((stream) => stream.path === path && stream.state === "live")) {
      return async () => {
        child.kill("SIGINT");
        await gone;
      };
    }
    if (child.exitCode !== null) break;
    await sleep(100);
  }
  child.kill("SIGKILL");
  throw new Error(`ffmpeg did not get ${path} published: ${said.slice(0, 500)}`);
}

export async function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  });
}

/** A page of its own; `wrongs` collects errors, refusals by the policy, and dialogs, as they happen. */
export async function openPage(browser, url, { size = [1280, 800], scheme = "dark", locale = "en-GB", before } = {}) {
  const context = await browser.newContext({ viewport: { width: size[0], height: size[1] }, colorScheme: scheme, locale });
  const page = await context.newPage();
  const wrongs = [];
  page.on("pageerror", (error) => wrongs.push(`error: ${error.stack ?? error}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") wrongs.push(`console: ${message.text().slice(0, 500)}`);
  });
  page.on("dialog", (dialog) => {
    wrongs.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
    );
  });
  if (before) await before(page);
  const response = await page.goto(url);
  return { page, wrongs, response, close: () => context.close() };
}

export const phaseOf = (page) => page.evaluate(() => document.querySelector("main").dataset.phase);

export function awaitPhase(page, phase, timeout = 15_000) {
  return page.waitForFunction((wanted) => document.querySelector("main")?.dataset.phase === wanted, phase, { timeout });
}

export const playback = (page) =>
  page.evaluate(() => {
    const video = document.querySelector("video");
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const edge = video.buffered.length > 0 ? video.buffered.end(video.buffered.length - 1) : 0;
    return { time: video.currentTime, frames: totalVideoFrames, dropped: droppedVideoFrames, behind: edge - video.currentTime, width: video.videoWidth };
  });

export async function shoot(page, name) {
  const folder = process.env.HEADWATER_SHOTS;
  if (!folder) return page.screenshot();
  mkdirSync(folder, { recursive: true });
  return page.screenshot({ path: join(folder, `${name}.png`) });
}
