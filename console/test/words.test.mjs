/** The parts that need no browser: addresses, figures, and what is said of codecs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./sources.mjs";

const address = await source("shared/address.ts");
const format = await source("shared/format.ts");
const { selectTracks } = await source("live/track-selection.ts");

const here = { protocol: "http:", host: "box.local:8080", hostname: "box.local" };

test("every name survives the way into an address and back", () => {
  for (const name of ["demo", "a b/c", "café/日本", "50% off?#&", "<img src=x onerror=alert(1)>", "a%2Fb", "x.flv", "🙂"]) {
    const url = new URL(address.watchUrl({ app: "live", name }), "http://box.local");
    assert.deepEqual(address.parseWatchPath(url.pathname), { app: "live", name });
    assert.equal(url.search + url.hash, "");
  }
});

test("addresses that name no stream are seen as such", () => {
  for (const path of ["/", "/watch", "/watch/", "/watch/live", "/watch/live/", "/watch/live//x", "/watch/live/%E0%A4%A"]) {
    assert.equal(address.parseWatchPath(path), null, path);
  }
});

test("the addresses of a stream", () => {
  const stream = { app: "live", name: "a b/é" };
  assert.equal(address.httpFlvUrl(here, stream), "http://box.local:8080/live/a%20b/%C3%A9.flv");
  assert.equal(address.wsFlvUrl(here, stream), "ws://box.local:8080/live/a%20b/%C3%A9.flv");
  assert.equal(address.wsFlvUrl({ ...here, protocol: "https:" }, stream).slice(0, 4), "wss:");
  assert.equal(address.rtmpUrl(here, 1935, stream), "rtmp://box.local/live/a b/é");
  assert.equal(address.rtmpUrl(here, 19350, stream), "rtmp://box.local:19350/live/a b/é");
  assert.equal(address.rtmpServer({ ...here, hostname: "[::1]" }, 1936, "live"), "rtmp://[::1]:1936/live");
});

test("a name of 60 KB is shown short, an ordinary one whole, and no character is cut in two", () => {
  assert.equal(address.shortName("demo"), "demo");
  assert.ok(address.shortName("x".repeat(60_000)).length <= 121);
  assert.ok(address.shortName("🙂".repeat(60_000)).isWellFormed?.() ?? true);
  assert.equal(address.shortName("🙂".repeat(120)), "🙂".repeat(120));
});

test("figures for people", () => {
  assert.deepEqual([0, 900, 1_500_000, 25_000_000, NaN].map(format.bitrate), ["–", "1 kbit/s", "1.5 Mbit/s", "25 Mbit/s", "–"]);
  assert.deepEqual(
    [0, 59_999, 60_000, 3_723_000, 200_000_000, -1].map(format.duration),
    ["0 s", "59 s", "1:00", "1:02:03", "2 d 07 h", "–"],
  );
  assert.deepEqual([25, 29.97, 0, null].map(format.frameRate), ["25 fps", "29.97 fps", "", ""]);
  assert.equal(format.sound(null, null) + format.resolution(null, null), "");
  assert.equal(format.sound(44100, 2), "44.1 kHz stereo");
});

const video = (codec, codec_string) => ({ codec, codec_string, width: 1, height: 1, frame_rate: 25 });
const audio = (codec, codec_string) => ({ codec, codec_string, sample_rate: 44100, channels: 2 });
const browser = (type) => /avc1|mp4a|opus|audio\/mpeg/.test(type);

test("what this browser can play is asked for, what it can't is said in words", () => {
  const plan = (v, a) => selectTracks({ video: v, audio: a }, browser).selection;
  assert.deepEqual(plan(video("H.264", "avc1.42c01e"), audio("AAC", "mp4a.40.2")), { video: true, audio: true, missing: "", overHls: false });
  assert.deepEqual(plan(video("H.264", "avc1.42c01e"), null), { video: true, audio: false, missing: "", overHls: false });
  assert.deepEqual(plan(null, audio("AAC", "mp4a.40.2")), { video: false, audio: true, missing: "", overHls: false });
  assert.deepEqual(plan(null, null), { video: null, audio: null, missing: "", overHls: false }, "nothing known: the FLV header decides");
  assert.match(plan(video("H.264", "avc1.42c01e"), audio("Speex", "speex")).missing, /Picture only.*Speex/);
  assert.match(plan(video("H.265", "hvc1.1.6.L93.B0"), audio("AAC", "mp4a.40.2")).missing, /Sound only.*H\.265/);
  assert.deepEqual(plan(video("H.264", null), audio("MP3", null)), { video: true, audio: true, missing: "", overHls: false });
  assert.match(plan(video("H.264", null), audio("Nellymoser", null)).missing, /Picture only.*Nellymoser/);
  assert.match(plan(video("VP6", null), audio("AAC", null)).missing, /Sound only.*VP6/);
  assert.deepEqual(plan(video("H.299", null), null), { video: true, audio: false, missing: "", overHls: false }, "never heard of: try");
  const kept = (v, a, obstacles) => {
    const all = (type) => browser(type) || /vp09|av01|ac-3/.test(type);
    return selectTracks({ video: v, audio: a, window: { from_ms: 0, to_ms: 9000 } }, all, obstacles).selection;
  };
  const [vp9, av1, aac] = [video("VP9", "vp09.00.10.08"), video("AV1", "av01.0.00M.08"), audio("AAC", "mp4a.40.2")];
  assert.deepEqual(kept(video("H.264", "avc1.42c01e"), aac), { video: true, audio: true, missing: "", overHls: false });
  assert.deepEqual(kept(vp9, aac), { video: true, audio: true, missing: "", overHls: true }, "what FLV brings nothing of comes over HLS");
  assert.deepEqual(kept(av1, aac), { video: true, audio: true, missing: "", overHls: true });
  assert.match(kept(video("H.264", "avc1.42c01e"), audio("E-AC-3", "ec-3")).missing, /Picture only: this browser can’t play E-AC-3/);
  assert.equal(kept(av1, audio("E-AC-3", "ec-3")).overHls, false, "HLS is played with all its tracks or not at all");
  assert.deepEqual(kept(video("H.264", "avc1.42c01e"), audio("AC-3", "ac-3")), { video: true, audio: true, missing: "", overHls: true });
  assert.match(kept(vp9, aac, { inFlv: new Set(), hls: true }).missing, /Sound only: no VP9 comes/, "and where HLS brings nothing either, that is said");
  assert.deepEqual(kept(av1, aac, { inFlv: new Set(), hls: true }), { video: true, audio: true, missing: "", overHls: false }, "AV1 may be read");
  assert.match(kept(av1, aac, { inFlv: new Set(["av01.0.00M.08"]), hls: true }).missing, /Sound only.*AV1/);
  assert.match(kept(video("VP6", null), aac).missing, /Sound only.*VP6/);
  const refused = selectTracks({ video: video("H.265", "hvc1.1.6.L93.B0"), audio: null }, browser);
  assert.equal(refused.failure.title, "This browser can’t play H.265");
});
