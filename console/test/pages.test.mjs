/** The two pages in a real browser, against the fake server or (with `HEADWATER_URL`) the real one: see `stage.mjs`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startFake } from "../dev/fake-server.mjs";
import { awaitPhase, browser, MODERN, openPage, phaseOf, playback, server, setStage, shoot } from "./stage.mjs";

const LONGEST_BEHIND_S = 1.5;
const HOSTILE = `<img src=x onerror=window.hit=1>"'><svg onload=window.hit=1>`;

/** What a real server can not be asked to do. */
const ONLY_FAKE = { skip: process.env.HEADWATER_URL ? "needs the fake server" : false };

setStage();

/** Publishes, opens a page, and clears both away whatever happens. */
async function onStage(t, { path, kind = "av", open, settings }) {
  const end = path ? await server.publish(path, kind) : async () => {};
  const stage = await openPage(browser, server.url + open, settings);
  t.after(async () => {
    await stage.close();
    await end();
  });
  return { ...stage, end };
}

const watch = (path) => `/watch/${path.split("/").map(encodeURIComponent).join("/")}`;

test("a live stream plays at once, moves, stays near the edge, and the page does nothing wrong", async (t) => {
  const path = "live/check picture";
  const { page, wrongs, response } = await onStage(t, { path, open: watch(path) });
  assert.match(response.headers()["content-security-policy"] ?? "", /script-src 'self'/, "the page must come with its policy");
  await awaitPhase(page, "playing");
  const first = await playback(page);
  const firstShot = await shoot(page, "watch-1");
  await sleep(2000);
  const second = await playback(page);
  const secondShot = await shoot(page, "watch-2");
  assert.ok(second.time - first.time > 1.2, `the clock went from ${first.time} to ${second.time} in two seconds`);
  assert.ok(second.frames - first.frames > 25, `${second.frames - first.frames} frames in two seconds`);
  assert.ok(!firstShot.equals(secondShot), "two pictures two seconds apart are the same");
  assert.ok(second.width > 0);
  await sleep(4000);
  const third = await playback(page);
  assert.ok(third.behind < LONGEST_BEHIND_S, `${third.behind} s behind the edge`);
  assert.deepEqual(wrongs, []);
});

test("over a picture words are light, however the system looks", async (t) => {
  const path = "live/check words";
  for (const scheme of ["light", "dark"]) {
    const { page, end, close } = await onStage(t, { path, open: watch(path), settings: { scheme } });
    await awaitPhase(page, "playing");
    const colour = await page.evaluate(() => getComputedStyle(document.querySelector("h1")).color);
    const channels = colour.match(/\d+/g).map(Number);
    assert.ok(channels.slice(0, 3).every((channel) => channel > 200), `${scheme}: ${colour}`);
    await shoot(page, `watch-words-${scheme}`);
    await close();
    await end();
  }
});

test("the picture, not only the page around it, changes", async (t) => {
  const path = "live/check pixels";
  const { page } = await onStage(t, { path, open: watch(path) });
  await awaitPhase(page, "playing");
  const pixels = () =>
    page.evaluate(() => {
      const video = document.querySelector("video");
      const paint = new OffscreenCanvas(64, 36).getContext("2d");
      paint.drawImage(video, 0, 0, 64, 36);
      return [...paint.getImageData(0, 0, 64, 36).data];
    });
  const before = await pixels();
  await sleep(1000);
  const after = await pixels();
  const changed = before.filter((value, index) => Math.abs(value - after[index]) > 24).length;
  assert.ok(changed > 50, `${changed} of ${before.length} values changed in a second`);
  assert.ok(new Set(before).size > 20, "the picture is of one colour");
});

test("controls: sound, pause and return to the live edge, figures, by key and by button", async (t) => {
  const path = "live/check controls";
  const { page, wrongs } = await onStage(t, { path, open: watch(path) });
  await awaitPhase(page, "playing");
  assert.equal(await page.evaluate(() => document.querySelector("video").muted), true);
  await page.getByRole("button", { name: "Turn on the sound" }).last().click();
  assert.equal(await page.evaluate(() => document.querySelector("video").muted), false);
  await page.keyboard.press("m");
  assert.equal(await page.evaluate(() => document.querySelector("video").muted), true);

  await page.mouse.click(640, 300);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press(" ");
  await awaitPhase(page, "paused");
  const held = await playback(page);
  await sleep(6000);
  assert.ok((await playback(page)).time - held.time < 0.1, "paused, but the clock goes on");
  await page.keyboard.press(" ");
  await awaitPhase(page, "playing");
  // Where the server keeps a window, it goes on where it stood, until it is told otherwise.
  await page.keyboard.press("End");
  await sleep(6000);
  assert.ok((await playback(page)).behind < LONGEST_BEHIND_S, "after a pause the page must return to the edge");

  await page.keyboard.press("i");
  await page.getByText("Behind the live edge").waitFor();
  await shoot(page, "watch-figures");
  assert.deepEqual(wrongs, []);
});

/** The codecs of Enhanced RTMP: what this browser decodes plays, of the rest the page says that it does not. */
const ONLY_MODERN = { skip: process.env.HEADWATER_FFMPEG && process.env.HEADWATER_URL ? false : "needs a real server and HEADWATER_FFMPEG" };
const PICTURES = { av1: 'video/mp4; codecs="av01.0.00M.08"', hevc: 'video/mp4; codecs="hvc1.1.6.L60.B0"', h264: 'video/mp4; codecs="avc1.42c01e"', vp9: 'video/mp4; codecs="vp09.00.10.08"' };
const SOUNDS = { opus: 'audio/mp4; codecs="opus"', aac: 'audio/mp4; codecs="mp4a.40.2"', flac: 'audio/mp4; codecs="flac"', ac3: 'audio/mp4; codecs="ac-3"' };
for (const kind of Object.keys(MODERN)) {
  test(`${kind} plays, or the page says what this browser lacks`, ONLY_MODERN, async (t) => {
    const path = `live/check ${kind}`;
    const { page, wrongs } = await onStage(t, { path, kind, open: watch(path) });
    const [picture, sound] = kind.split("+");
    const able = (type) => page.evaluate((asked) => MediaSource.isTypeSupported(asked), type);
    const [shows, sounds] = [await able(PICTURES[picture]), await able(SOUNDS[sound])];
    t.diagnostic(`${picture}: ${shows ? "decoded" : "not decoded"} here, ${sound}: ${sounds ? "decoded" : "not decoded"}`);
    // What mpegts.js does not get out of FLV comes over HLS, once there is some.
    const comesOverHls = ["av1", "vp9"].includes(picture) && shows;
    if (comesOverHls) await page.waitForFunction(() => performance.getEntriesByType("resource").some(({ name }) => name.includes(".m4s")));
    await awaitPhase(page, "playing", 30_000);
    if (comesOverHls) await page.waitForFunction(() => document.querySelector("video").videoWidth > 0);
    const first = await playback(page);
    await sleep(2000);
    const second = await playback(page);
    await shoot(page, `watch-${kind}`);
    assert.ok(second.time - first.time > 1.2, `the clock went from ${first.time} to ${second.time} in two seconds`);
    if (shows) assert.ok(second.frames - first.frames > 25 && second.width === 320, `${second.frames - first.frames} frames in two seconds`);
    else await page.getByText(/Sound only: this browser can’t play/).waitFor();
    if (!sounds) await page.getByText(/Picture only: this browser can’t play/).waitFor();
    assert.deepEqual(wrongs, []);
  });
}

for (const [kind, name] of [["video", "picture only"], ["audio", "sound only"]]) {
  test(`a stream with ${name} plays`, async (t) => {
    const path = `live/check ${name}`;
    const { page, wrongs } = await onStage(t, { path, kind, open: watch(path) });
    await awaitPhase(page, "playing");
    const first = await playback(page);
    await sleep(2000);
    const second = await playback(page);
    assert.ok(second.time - first.time > 1.2, `the clock went from ${first.time} to ${second.time} in two seconds`);
    await shoot(page, `watch-${kind}`);
    if (kind === "audio") {
      await page.getByText("Sound only", { exact: true }).waitFor();
      // Until there is a line to go back on, the controls are lower.
      await sleep(3000);
      const { time } = await playback(page);
      await page.getByRole("button", { name: "Listen" }).click({ timeout: 5000 });
      await sleep(1000);
      assert.ok((await playback(page)).time > time + 0.4, "with the sound on it must go on");
      await shoot(page, "watch-audio-heard");
    } else {
      assert.equal(await page.getByRole("button", { name: "Turn on the sound" }).count(), 0, "there is no sound to turn on");
      assert.ok(second.frames - first.frames > 25);
    }
    assert.deepEqual(wrongs, []);
  });
}

test("a stream that is not there is waited for, starts by itself, and is waited for again when it ends", async (t) => {
  const path = "live/check later";
  const { page, wrongs } = await onStage(t, { open: watch(path) });
  await awaitPhase(page, "waiting");
  await page.getByText("Waiting for the stream…").waitFor();
  await shoot(page, "watch-waiting");
  await sleep(6000);
  assert.equal(await phaseOf(page), "waiting");
  assert.deepEqual(wrongs, [], "waiting is nothing that a browser notes in red");
  let end = await server.publish(path, "av");
  await awaitPhase(page, "playing", 20_000);
  await sleep(1000);
  const first = await playback(page);
  await end();
  await awaitPhase(page, "waiting", 20_000);
  await page.getByText(/The stream (has ended|is interrupted)/).waitFor();
  await shoot(page, "watch-ended");
  end = await server.publish(path, "av");
  t.after(end);
  await awaitPhase(page, "playing", 20_000);
  await sleep(1500);
  assert.ok((await playback(page)).frames > 0 && first.frames > 0);
});

test("a broken connection is mended without a hand", ONLY_FAKE, async (t) => {
  const path = "live/check broken";
  const { page } = await onStage(t, { path, open: watch(path) });
  await awaitPhase(page, "playing");
  const stream = server.fake.stream(path);
  const before = stream.overHttp + stream.overWs;
  server.fake.cut();
  await page.waitForFunction(() => document.querySelector("main").dataset.phase !== "playing");
  await awaitPhase(page, "playing");
  assert.equal(stream.overHttp + stream.overWs, before + 1);
});

test("a viewer who is given a long GOP at once is soon at its end", ONLY_FAKE, async (t) => {
  const path = "live/check burst";
  const { page, wrongs } = await onStage(t, { path, kind: "burst", open: watch(path) });
  await awaitPhase(page, "playing");
  await sleep(2500);
  const { behind, time } = await playback(page);
  assert.ok(time > 4, `at ${time}: the burst never came, or was played through`);
  assert.ok(behind < LONGEST_BEHIND_S, `${behind} s behind the edge`);
  assert.deepEqual(wrongs, []);
});

test("after a network that stood still, the page is back at the edge", ONLY_FAKE, async (t) => {
  const path = "live/check freeze";
  const { page } = await onStage(t, { path, open: watch(path) });
  await awaitPhase(page, "playing");
  await sleep(1500);
  server.fake.freeze(path, true);
  await awaitPhase(page, "buffering");
  await sleep(6000);
  server.fake.freeze(path, false);
  await awaitPhase(page, "playing");
  await sleep(6000);
  assert.ok((await playback(page)).behind < LONGEST_BEHIND_S, `${(await playback(page)).behind} s behind the edge`);
  assert.equal(server.fake.stream(path).overWs, 1, "it is still the same connection");
});

test("viewers whom the server keeps while the publisher is away are told so, and go on", ONLY_FAKE, async (t) => {
  const path = "live/check orphan";
  const { page } = await onStage(t, { path, open: watch(path) });
  await awaitPhase(page, "playing");
  server.fake.freeze(path, true, true);
  await awaitPhase(page, "waiting", 20_000);
  await page.getByText("The stream is interrupted").waitFor();
  await sleep(10_000);
  assert.equal(await phaseOf(page), "waiting");
  server.fake.freeze(path, false);
  await awaitPhase(page, "playing");
  assert.equal(server.fake.stream(path).overWs, 1, "it is still the same connection");
});

test("a server that goes away is missed in words and found again", ONLY_FAKE, async (t) => {
  const port = Number(new URL((await startFake({ streams: [] }).then(async (one) => (await one.close(), one))).url).port);
  let own = await startFake({ port, streams: [["live/here", "av"]] });
  const { page, close } = await openPage(browser, `${own.url}/watch/live/here`);
  t.after(async () => (await close(), await own.close()));
  await awaitPhase(page, "playing");
  await own.close();
  await page.getByText("The server does not answer").waitFor();
  own = await startFake({ port, streams: [["live/here", "av"]] });
  await awaitPhase(page, "playing");
});

test("where WebSocket-FLV does not get through, HTTP-FLV does", ONLY_FAKE, async (t) => {
  t.after(() => server.fake.refuse("none"));
  server.fake.refuse("ws");
  const path = "live/check socket";
  const { page } = await onStage(t, { path, open: watch(path) });
  await awaitPhase(page, "playing");
  await sleep(1000);
  const { overWs, overHttp } = server.fake.stream(path);
  assert.deepEqual({ overWs, overHttp }, { overWs: 0, overHttp: 1 });
  assert.ok((await playback(page)).frames > 10);
});

test("a codec that the browser can't play is named in words", ONLY_FAKE, async (t) => {
  const path = "live/check codec";
  const { page } = await onStage(t, { path, kind: "h265", open: watch(path) });
  await page.getByRole("heading", { name: "This browser can’t play H.265" }).waitFor();
  await page.getByRole("button", { name: "Copy HTTP-FLV address" }).waitFor();
  await shoot(page, "watch-error");
  assert.equal(server.fake.stream(path).overHttp + server.fake.stream(path).overWs, 0, "and its bytes are not asked for");
});

test("the console lists a stream, keeps it fresh, and links to its page", async (t) => {
  const path = "live/check list";
  const { page, wrongs, end } = await onStage(t, { path, open: "/" });
  const card = page.getByRole("article").filter({ hasText: "check list" });
  await card.waitFor();
  assert.match(await card.innerText(), /H\.264 · 640 × 360/);
  assert.match(await card.innerText(), /AAC · 44\.1 kHz stereo/);
  assert.equal(await card.getByRole("link").first().getAttribute("href"), "/watch/live/check%20list");
  const uptime = () => card.locator(".uptime").innerText();
  const first = await uptime();
  await page.waitForFunction((was) => ![...document.querySelectorAll(".uptime")].some((e) => e.textContent === was), first, { timeout: 5000 });
  await shoot(page, "console");
  await end();
  // Gone, or (while the server keeps it for a publisher who may come back) no longer called live.
  await page.waitForFunction(
    () => ![...document.querySelectorAll("article")].some((e) => /check list/.test(e.innerText) && /^Live$/m.test(e.innerText)),
    undefined,
    { timeout: 15_000 },
  );
  assert.deepEqual(wrongs, []);
});

test("an empty console tells where to publish, with the addresses of this very host", async (t) => {
  const { page, wrongs } = await onStage(t, { open: "/" });
  const { streams } = await (await fetch(`${server.url}/api/v1/streams`)).json();
  if (streams.length > 0) return t.skip("the server is not empty");
  await page.getByRole("heading", { name: "Quiet water" }).waitFor();
  const { rtmp_port } = await (await fetch(`${server.url}/api/v1/info`)).json();
  const target = `rtmp://127.0.0.1${rtmp_port === 1935 ? "" : `:${rtmp_port}`}/live`;
  assert.ok((await page.innerText("main")).includes(target), target);
  await page.getByText("-f flv").first().waitFor();
  await shoot(page, "console-empty");
  assert.deepEqual(wrongs, []);
});

test("while nobody looks at it, the console asks nothing", async (t) => {
  const { page } = await onStage(t, { open: "/" });
  let asked = 0;
  page.on("request", (request) => (asked += request.url().endsWith("/api/v1/streams") ? 1 : 0));
  await sleep(3500);
  assert.ok(asked >= 2 && asked <= 5, `${asked} questions in 3.5 seconds`);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await sleep(500);
  asked = 0;
  await sleep(3000);
  assert.equal(asked, 0);
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await sleep(1500);
  assert.ok(asked >= 1, "looked at again, it must go on");
});

test("hostile names are text: on the console, on the watch page, in the title", async (t) => {
  const path = `live/${HOSTILE}`;
  const { page, wrongs } = await onStage(t, { path, open: "/" });
  await page.getByRole("heading", { name: HOSTILE }).waitFor();
  const harmless = async (where) => {
    assert.equal(await where.evaluate(() => window.hit), undefined, "a script ran");
    // Cards have pictures of their own.
    assert.equal(await where.locator("[src='x'], [onerror], [onload]").count(), 0, "an element was made of a name");
  };
  await harmless(page);
  await shoot(page, "console-hostile");
  await page.getByRole("link", { name: `Watch ${HOSTILE}` }).click();
  await awaitPhase(page, "playing");
  await page.keyboard.press("i");
  await sleep(500);
  await harmless(page);
  assert.ok((await page.title()).startsWith(HOSTILE));
  await shoot(page, "watch-hostile");
  assert.deepEqual(wrongs, []);
});

test("a name of 60 KB neither breaks the console nor stretches it", ONLY_FAKE, async (t) => {
  const path = `live/${"W".repeat(30_000)}${"מ".repeat(15_000)}`;
  const { page, wrongs } = await onStage(t, { path, open: "/", settings: { size: [390, 844] } });
  await page.getByRole("article").first().waitFor();
  const { wide, tall } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    tall: document.querySelector("article").getBoundingClientRect().height,
  }));
  assert.ok(wide <= 390, `the page is ${wide} wide`);
  assert.ok(tall < 600, `the card is ${tall} tall`);
  await shoot(page, "console-60k");
  assert.deepEqual(wrongs, []);
});

test("both pages fit a phone", async (t) => {
  const path = "live/check phone";
  const { page } = await onStage(t, { path, open: "/", settings: { size: [360, 740], scheme: "light" } });
  await page.getByRole("article").first().waitFor();
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  await shoot(page, "console-phone");
  await page.goto(server.url + watch(path));
  await awaitPhase(page, "playing");
  const outside = await page.evaluate(() =>
    [...document.querySelectorAll("button, a, h1, input")]
      .filter((e) => e.getClientRects().length > 0)
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
      .map((e) => e.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(outside, []);
  await shoot(page, "watch-phone");
});
