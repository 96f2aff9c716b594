/**
 * What encoders in the field send, played by the watch page in a real browser from the real server: pictures have to
 * move. The streams are ffmpeg's, changed here to what the bug reports of other servers tell (`docs/quirks.md`).
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AUDIO, encode, encodeFlac, later, merge, publish, repeated } from "./publisher.mjs";
import { awaitPhase, openBrowser, openPage, playback } from "./stage.mjs";

const url = process.env.HEADWATER_URL?.replace(/\/$/, "");
const rtmp = (process.env.HEADWATER_RTMP ?? "rtmp://127.0.0.1:1935").replace(/\/$/, "");
const ONLY_REAL = { skip: url ? false : "needs a real server" };

const SPAN_MS = 4000;
const LENGTH_S = SPAN_MS / 1000;
const picture = (size) => ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=25`];
const TONE = ["-f", "lavfi", "-i", "sine=f=440:r=48000"];
const H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p", "-b:v", "200k"];
const AAC = ["-c:a", "aac", "-b:a", "64k", "-ac", "2"];

let browser;
let clip;
before(async () => {
  if (!url) return;
  browser = await openBrowser();
  clip = await encode([...picture("320x180"), ...TONE, "-t", String(LENGTH_S), ...H264, ...AAC]);
});
after(() => browser?.close());

/** The frames of a track for `seconds`. */
const lasting = (track, seconds) =>
  repeated(track.frames, Math.ceil(seconds / LENGTH_S), SPAN_MS).filter(({ ms }) => ms < seconds * 1000);
const changed = (tags, change) => tags.map((tag) => ({ ...tag, body: change(tag.body) }));
const whole = (video, audio) => [...clip.meta, ...merge(video, audio)];

async function onAir(t, name, tags, options) {
  const end = await publish(rtmp, `live/${name}`, tags, options);
  t.after(end);
  return async () => {
    const stage = await openPage(browser, `${url}/watch/live/${name}`);
    t.after(stage.close);
    return stage;
  };
}

/** The picture moves for so long, and never stands for longer than `stillMax` seconds. */
async function moves(page, seconds, stillMax = 1.5) {
  const end = performance.now() + seconds * 1000;
  let [frames, changedAt, count] = [(await playback(page)).frames, performance.now(), 0];
  while (performance.now() < end) {
    await sleep(200);
    const now = await playback(page);
    if (now.frames !== frames) {
      count += Math.max(0, now.frames - frames);
      [frames, changedAt] = [now.frames, performance.now()];
    }
    const still = (performance.now() - changedAt) / 1000;
    const phase = await page.evaluate(() => document.querySelector("main").dataset.phase);
    assert.ok(still < stillMax, `the picture has stood for ${still.toFixed(1)} s, ${JSON.stringify(now)}, ${phase}`);
  }
  assert.ok(count > seconds * 8, `${count} pictures in ${seconds} s`);
}

const NAL_LENGTH = 4;
const HEAD_LENGTH = 5;
function nalUnits(body) {
  const units = [];
  for (let at = HEAD_LENGTH; at + NAL_LENGTH <= body.length; ) {
    const size = body.readUInt32BE(at);
    units.push(body.subarray(at + NAL_LENGTH, at + NAL_LENGTH + size));
    at += NAL_LENGTH + size;
  }
  return units;
}
const isSlice = (unit) => [1, 5].includes(unit[0] & 31);
const withLength = (unit) => {
  const size = Buffer.alloc(NAL_LENGTH);
  size.writeUInt32BE(unit.length);
  return Buffer.concat([size, unit]);
};

/** The frames of `tag`, changed as an encoder is known to send them. */
const PICTURES = {
  "key frames that only the first is flagged of": (frames) =>
    frames.map((tag, n) => (n === 0 ? tag : { ...tag, body: Buffer.concat([Buffer.from([0x27]), tag.body.subarray(1)]) })),
  "start codes inside what one length covers": (frames) =>
    changed(frames, (body) => {
      const units = nalUnits(body).flatMap((unit) => [Buffer.from([0, 0, 0, 1]), unit]);
      return Buffer.concat([body.subarray(0, HEAD_LENGTH), withLength(Buffer.concat(units.slice(1)))]);
    }),
};

for (const [what, change] of Object.entries(PICTURES)) {
  test(`${what}: the picture moves`, ONLY_REAL, async (t) => {
    const video = [...clip.video.configs, ...change(lasting(clip.video, 24))];
    const open = await onAir(t, "check pictures", whole(video, [...clip.audio.configs, ...lasting(clip.audio, 24)]), { aheadMs: 2500 });
    const { page } = await open();
    await awaitPhase(page, "playing");
    await moves(page, 4);
  });
}

test("a message for each slice: the picture moves", ONLY_REAL, async (t) => {
  const sliced = await encode([...picture("320x180"), "-t", String(LENGTH_S), ...H264, "-x264-params", "slices=4"]);
  const slices = lasting(sliced.video, 24).flatMap((tag) => {
    const units = nalUnits(tag.body);
    const front = units.filter((unit) => !isSlice(unit));
    return units.filter(isSlice).map((unit, n) => {
      const held = (n === 0 ? [...front, unit] : [unit]).map(withLength);
      return { ...tag, body: Buffer.concat([tag.body.subarray(0, HEAD_LENGTH), ...held]) };
    });
  });
  const open = await onAir(t, "check slices", [...sliced.meta, ...sliced.video.configs, ...slices], { aheadMs: 2500 });
  const { page } = await open();
  await awaitPhase(page, "playing");
  await moves(page, 4);
});

for (const configs of ["with", "without"]) {
  test(`several ADTS frames in a message, ${configs} a configuration: picture and sound`, ONLY_REAL, async (t) => {
    const sounds = lasting(clip.audio, 24);
    const adts = ({ body }) => {
      const size = body.length - 2 + 7;
      const head = [0xff, 0xf1, 0x4c, 0x80 | (size >> 11), (size >> 3) & 0xff, ((size & 7) << 5) | 31, 0xfc];
      return Buffer.concat([Buffer.from(head), body.subarray(2)]);
    };
    const grouped = [];
    for (let n = 0; n + 3 <= sounds.length; n += 3) {
      const frames = sounds.slice(n, n + 3).map(adts);
      grouped.push({ type: AUDIO, ms: sounds[n].ms, body: Buffer.concat([Buffer.from([0xaf, 1]), ...frames]) });
    }
    const audio = configs === "with" ? [...clip.audio.configs, ...grouped] : grouped;
    const video = [...clip.video.configs, ...lasting(clip.video, 24)];
    const open = await onAir(t, `check adts ${configs}`, whole(video, audio), { aheadMs: 2500 });
    const { page } = await open();
    await awaitPhase(page, "playing");
    await moves(page, 4);
    await hearsSound(page);
  });
}

test("sound as FLAC is decoded beside the picture", ONLY_REAL, async (t) => {
  const flac = await encodeFlac([...TONE, "-t", String(LENGTH_S), "-ac", "2"]);
  const video = [...clip.video.configs, ...lasting(clip.video, 24)];
  const open = await onAir(t, "check flac", whole(video, [...flac.configs, ...lasting(flac, 24)]), { aheadMs: 2500 });
  const { page } = await open();
  await awaitPhase(page, "playing");
  await hearsSound(page);
  const decoded = () => page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount);
  const before = await decoded();
  await moves(page, 4);
  assert.ok((await decoded()) > before, "the sound is decoded");
});

/** The page has sound to turn on. */
const hearsSound = (page, timeout = 10_000) => page.getByRole("button", { name: "Turn on the sound" }).first().waitFor({ timeout });

test("sound that begins three seconds late is there in the end, and the picture is not held back", ONLY_REAL, async (t) => {
  const audio = later([...clip.audio.configs, ...lasting(clip.audio, 20)], 3000);
  const open = await onAir(t, "check late sound", whole([...clip.video.configs, ...lasting(clip.video, 24)], audio));
  const { page } = await open();
  await awaitPhase(page, "playing");
  await hearsSound(page);
  await awaitPhase(page, "playing");
  await moves(page, 4);
});

test("pictures that begin three seconds late are there in the end", ONLY_REAL, async (t) => {
  const video = later([...clip.video.configs, ...lasting(clip.video, 24)], 3000);
  const open = await onAir(t, "check late pictures", whole(video, [...clip.audio.configs, ...lasting(clip.audio, 27)]));
  const { page } = await open();
  await page.waitForFunction(() => document.querySelector("video")?.videoWidth === 320, null, { timeout: 15_000 });
  await awaitPhase(page, "playing");
  await moves(page, 4);
});

test("sound that stops and comes back: who watches and who comes see the picture move", ONLY_REAL, async (t) => {
  const back = 19_000;
  const audio = lasting(clip.audio, 60).filter(({ ms }) => ms < 6000 || ms > back);
  const began = performance.now();
  const open = await onAir(t, "check silence", whole([...clip.video.configs, ...lasting(clip.video, 60)], [...clip.audio.configs, ...audio]));
  const { page } = await open();
  await awaitPhase(page, "playing");
  // The sound stops; within some seconds the page goes on without.
  await page.waitForFunction(() => document.querySelector(".unmute") === null, null, { timeout: 20_000 });
  await awaitPhase(page, "playing");
  await moves(page, 3);
  const { page: late } = await open();
  await awaitPhase(late, "playing");
  await sleep(Math.max(0, began + back - performance.now()));
  for (const each of [page, late]) await hearsSound(each);
  for (const each of [page, late]) {
    await awaitPhase(each, "playing");
    await moves(each, 3);
  }
});

test("pictures that stop leave the sound, and the page says so", ONLY_REAL, async (t) => {
  const video = lasting(clip.video, 6);
  const open = await onAir(t, "check no pictures", whole([...clip.video.configs, ...video], [...clip.audio.configs, ...lasting(clip.audio, 40)]));
  const { page } = await open();
  await awaitPhase(page, "playing");
  await page.getByText("Sound only", { exact: true }).waitFor({ timeout: 20_000 });
  await awaitPhase(page, "playing");
  const first = await playback(page);
  await sleep(2000);
  assert.ok((await playback(page)).time - first.time > 1);
});

test("one key frame a minute: who comes after twenty seconds sees the picture move", ONLY_REAL, async (t) => {
  const long = await encode([...picture("320x180"), ...TONE, "-t", "40", ...H264, "-g", "10000", "-x264-params", "scenecut=0:keyint=10000", ...AAC]);
  const tags = [...long.meta, ...merge([...long.video.configs, ...long.video.frames], [...long.audio.configs, ...long.audio.frames])];
  const open = await onAir(t, "check long group", tags, { aheadMs: 20_000 });
  const { page } = await open();
  await awaitPhase(page, "playing");
  await moves(page, 5);
  assert.ok((await playback(page)).behind < 4, "near the edge, twenty seconds of one group or not");
});

test("a phone that is turned twenty times: the picture goes on after each turn", ONLY_REAL, async (t) => {
  // The camera takes a moment to begin anew.
  const [turns, turnMs, awayMs] = [20, 1500, 100];
  const sizes = await Promise.all(
    ["320x180", "180x320"].map((size) => encode([...picture(size), "-t", String(turnMs / 1000), ...H264])),
  );
  const video = Array.from({ length: turns + 8 }, (_, n) => {
    const { configs, frames } = sizes[n % 2].video;
    return later([...configs.slice(0, 1), ...frames.filter(({ ms }) => ms < turnMs - awayMs)], n * turnMs);
  });
  const open = await onAir(t, "check turns", whole(video.flat(), [...clip.audio.configs, ...lasting(clip.audio, 60)]));
  const { page } = await open();
  await awaitPhase(page, "playing");
  const widths = page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        let count = 0;
        document.querySelector("video").addEventListener("resize", () => (count += 1));
        setTimeout(() => resolve(count), ms);
      }),
    turns * turnMs,
  );
  await moves(page, (turns * turnMs) / 1000);
  // One may fall on the first or the last moment.
  assert.ok((await widths) >= turns - 1, `${await widths} of ${turns} turns were shown`);
});

test("sound that changes its rate and its channels ten times: the picture goes on, and the sound", ONLY_REAL, async (t) => {
  const [changes, spanMs] = [10, 1500];
  const forms = await Promise.all(
    [["-ar", "48000", "-ac", "2"], ["-ar", "32000", "-ac", "1"]].map((form) =>
      encode([...TONE, "-t", String(spanMs / 1000), "-c:a", "aac", "-b:a", "64k", ...form]),
    ),
  );
  const audio = Array.from({ length: changes + 8 }, (_, n) => {
    const { configs, frames } = forms[n % 2].audio;
    return later([...configs.slice(0, 1), ...frames.filter(({ ms }) => ms < spanMs)], n * spanMs);
  });
  const open = await onAir(t, "check sounds", whole([...clip.video.configs, ...lasting(clip.video, 30)], audio.flat()));
  const { page, wrongs } = await open();
  await awaitPhase(page, "playing");
  await moves(page, (changes * spanMs) / 1000);
  await hearsSound(page);
  assert.deepEqual(wrongs, []);
});
