/** The parts of the film page and the catalogue that need no browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./sources.mjs";

const { parseThumbnails, thumbnailAt } = await source("film/thumbnails.ts");
const { isWorthResuming, resumeTime, saveResumePoint } = await source("film/resume.ts");
const { linkAt, startTimeOf } = await source("film/start-time.ts");
const { commandOf } = await source("shared/player/keys.ts");
const { selectSources } = await source("film/sources.ts");
const { formatHash, parseHash } = await source("console/route.ts");
const { rejectReason, sameFile } = await source("console/upload.ts");
const { looksLikeFilm, queryWithoutTime, withQuery } = await source("shared/address.ts");
const format = await source("shared/format.ts");
const { refusalReason } = await source("shared/api.ts");

const BASE = "http://box.local:8080/vod/a%20film.mp4/sprite.vtt";

test("a sprite's cues become places in pictures, whatever the line ends and however hours are written", () => {
  const cues = ["WEBVTT\n", "1\n00:00.000 --> 00:10.000\nsprite-0.jpg#xywh=0,0,160,90\n", "00:00:10.000 --> 01:00:20.500 align:start\nsprite-1.jpg#xywh=pixel:160,90,160,90"];
  for (const text of [cues.join("\n"), `\uFEFF${cues.join("\n").replaceAll("\n", "\r\n")}`, cues.join("\n").replaceAll("\n", "\r")]) {
    const thumbnails = parseThumbnails(text, BASE);
    assert.equal(thumbnails.length, 2);
    assert.deepEqual(thumbnails[0], { start: 0, end: 10, url: "http://box.local:8080/vod/a%20film.mp4/sprite-0.jpg", x: 0, y: 0, width: 160, height: 90 });
    assert.deepEqual([thumbnails[1].end, thumbnails[1].x, thumbnails[1].y], [3620.5, 160, 90]);
  }
});

test("what is no cue, no picture or of another server is left out", () => {
  const bad = [
    "00:00.000 --> 00:01.000\nhttp://evil.example/x.jpg#xywh=0,0,1,1",
    "00:00.000 --> 00:01.000\njavascript:alert(1)#xywh=0,0,1,1",
    "00:00.000 --> 00:01.000\nsprite.jpg",
    "00:00.000 --> 00:01.000\nsprite.jpg#xywh=0,0,0,90",
    "00:02.000 --> 00:01.000\nsprite.jpg#xywh=0,0,1,1",
    "::: --> 00:01.000\nsprite.jpg#xywh=0,0,1,1",
    "00:00.000 --> 00:01.000",
    "NOTE 00:00.000",
  ];
  assert.deepEqual(parseThumbnails(`WEBVTT\n\n${bad.join("\n\n")}`, BASE), []);
  assert.deepEqual(parseThumbnails("", BASE), []);
});

test("the picture for a second is the last that has begun", () => {
  const thumbnails = [0, 10, 30].map((start) => ({ start, end: start + 10 }));
  const at = (seconds) => thumbnailAt(thumbnails, seconds)?.start;
  assert.deepEqual([-1, 0, 9.99, 10, 25, 30, 500].map(at), [0, 0, 0, 10, 10, 30, 30]);
  assert.equal(thumbnailAt([], 5), null);
});

/** A store in memory; `broken` is a browser that forbids storage. */
function memoryStore(text = null) {
  return { text, getItem: () => text, setItem(_name, value) { this.text = text = value; } };
}

test("a place is kept, offered again, and forgotten near the end and near the beginning", () => {
  const store = memoryStore();
  saveResumePoint(store, "vod/a.mp4", 600, 3600, 1);
  assert.equal(resumeTime(store, "vod/a.mp4", 3600), 600);
  assert.equal(resumeTime(store, "vod/b.mp4", 3600), null);
  assert.equal(resumeTime(store, "vod/a.mp4", 3500), null, "a film of another length is another film");
  saveResumePoint(store, "vod/a.mp4", 3500, 3600, 2);
  assert.equal(resumeTime(store, "vod/a.mp4", 3600), null);
  assert.deepEqual([14, 15, 3419, 3420, 3600, NaN].map((at) => isWorthResuming(at, 3600)), [false, true, true, false, false, false]);
  assert.equal(isWorthResuming(30, 59), false, "a clip is begun anew");
  assert.equal(isWorthResuming(4 * 3600 - 181, 4 * 3600), true, "of a long film, only the credits are the end");
});

test("a hundred films are remembered, the oldest forgotten first; a broken store is an empty one", () => {
  const store = memoryStore();
  for (let film = 0; film < 130; film++) saveResumePoint(store, `vod/${film}.mp4`, 100, 1000, film);
  assert.equal(Object.keys(JSON.parse(store.text)).length, 100);
  assert.deepEqual([29, 30, 129].map((film) => resumeTime(store, `vod/${film}.mp4`, 1000)), [null, 100, 100]);
  for (const text of ["", "{", "null", "7", '{"x":{"at":"1"}}', '{"x":null}']) assert.equal(resumeTime(memoryStore(text), "x", 1000), null, text);
  const broken = { getItem: () => { throw new Error("denied"); }, setItem: () => { throw new Error("denied"); } };
  saveResumePoint(broken, "x", 100, 1000, 1);
  assert.equal(resumeTime(broken, "x", 1000), null);
});

test("a time in the address, as programs and as people write it", () => {
  const times = { "?t=93": 93, "?t=93s": 93, "?t=93.5": 93.5, "?t=1m33s": 93, "?t=1h2m3s": 3723, "?t=2h": 7200, "?t=1:33": 93, "?t=1:02:03": 3723, "?t=0": 0 };
  for (const [search, at] of Object.entries(times)) assert.equal(startTimeOf(search), at, search);
  for (const search of ["", "?t=", "?t=x", "?t=-5", "?t=1e9x", "?t=NaN", "?u=7", "?t=1:99"]) assert.equal(startTimeOf(search), null, search);
  assert.equal(queryWithoutTime("?t=5&key=a%20b"), "?key=a+b");
  assert.equal(queryWithoutTime("?t=5"), "");
  assert.equal(linkAt("http://x/watch/vod/a?key=1&t=7#y", 93.9), "http://x/watch/vod/a?key=1&t=93");
  assert.equal(linkAt("http://x/watch/vod/a?t=7", 0.4), "http://x/watch/vod/a");
  assert.equal(withQuery("/a?x=1", "?key=2"), "/a?x=1&key=2");
  assert.equal(withQuery("/a", ""), "/a");
});

test("the keys", () => {
  const press = (key, focus = "none", more = {}) => commandOf({ key, repeat: false, ctrlKey: false, metaKey: false, altKey: false, ...more }, focus);
  assert.deepEqual(press("ArrowLeft"), { kind: "by", seconds: -5 });
  assert.deepEqual([press("j").seconds, press("L").seconds], [-10, 10]);
  assert.deepEqual(press("7"), { kind: "share", share: 0.7 });
  assert.deepEqual([press(" ").kind, press("K").kind, press("f").kind, press("m").kind], ["toggle", "toggle", "fullscreen", "mute"]);
  assert.equal(press(" ", "button"), null, "a focused button has the space bar for itself");
  assert.equal(press("ArrowUp", "field"), null, "and a field its arrows");
  assert.deepEqual(press("ArrowLeft", "button"), { kind: "by", seconds: -5 });
  assert.equal(press("f", "none", { ctrlKey: true }), null, "the browser's own keys stay the browser's");
  assert.equal(press("k", "none", { repeat: true }), null);
  assert.ok(press("ArrowRight", "none", { repeat: true }));
  assert.equal(press("q"), null);
});

const film = (name, ...tracks) => ({ name, tracks, urls: { file: `/vod/${name}`, hls: `/vod/${name}/index.m3u8`, flv: "/vod/a.flv" } });
const track = (kind, codec, codec_string) => ({ kind, index: 0, codec, codec_string });
const [h264, aac] = [track("video", "H.264", "avc1.42c01e"), track("audio", "AAC", "mp4a.40.2")];
const [hevc, speex] = [track("video", "H.265", "hvc1.1.6.L93.B0"), track("audio", "Speex", null)];
const common = (type) => /avc1|mp4a/.test(type);
const both = { canPlayType: common, isTypeSupported: common };

test("the sources of a film: the file where the browser can, HLS for FLV and several sounds, words for the rest", () => {
  const kinds = (one, can = both) => selectSources(one, can).sources.map(({ kind }) => kind).join(" ");
  assert.equal(kinds(film("a.mp4", h264, aac)), "file hls flv");
  assert.equal(kinds(film("a.flv", h264, aac)), "hls flv");
  assert.equal(kinds(film("a.mp4", h264, aac, aac)), "hls file flv");
  assert.equal(kinds({ ...film("a.mp4", h264, aac), changes: true }), "hls file flv");
  assert.equal(kinds(film("a.mp4", h264), { canPlayType: common, isTypeSupported: () => false }), "file");
  assert.equal(kinds(film("a.flv", h264), { canPlayType: (type) => common(type) || type.includes("mpegurl"), isTypeSupported: () => false }), "file");
  const silent = selectSources(film("a.flv", h264, speex), both);
  assert.match(silent.missing, /Picture only.*Speex/);
  assert.deepEqual([silent.sources[0].kind, silent.sources[0].audio, silent.soundOnly], ["flv", false, false]);
  const blind = selectSources(film("a.mp4", hevc, aac), both);
  assert.match(blind.missing, /Sound only.*H\.265/);
  assert.deepEqual([blind.sources[0].kind, blind.soundOnly], ["file", true]);
  assert.equal(selectSources(film("a.mp4", hevc), both).failure.title, "This browser can’t play H.265");
  assert.equal(selectSources({ ...film("a.mp4"), error: "no moov" }, both).failure.detail, "no moov");
  assert.equal(selectSources(film("a.mp4", track("data", "Script", null)), both).kind, "refuse");
  assert.equal(selectSources(film("a.mp4", aac), both).soundOnly, true);
});

test("a film that takes a codec in the middle which the browser lacks is refused, whichever comes first", () => {
  const [early, late] = [
    [h264, hevc],
    [hevc, h264],
  ].map(([first, then]) => ({ ...first, later_codecs: [{ codec: then.codec, codec_string: then.codec_string }] }));
  for (const name of ["a.mp4", "a.flv"]) {
    for (const picture of [early, late]) {
      const { kind, failure } = selectSources({ ...film(name, picture, aac), changes: true }, both);
      assert.deepEqual([kind, failure?.title, failure?.elsewhere], ["refuse", "This browser can’t play H.265", true]);
    }
  }
  const any = { canPlayType: () => true, isTypeSupported: () => true };
  assert.equal(selectSources({ ...film("a.flv", early, aac), changes: true }, any).sources[0].kind, "hls");
  const larger = { ...h264, later_codecs: [{ codec: "H.264", codec_string: "avc1.64001f" }] };
  assert.equal(selectSources({ ...film("a.mp4", larger, aac), changes: true }, both).sources[0].kind, "hls");
});

test("which names are asked for as films first", () => {
  assert.deepEqual(
    [["vod", "film"], ["live", "a.mp4"], ["live", "a.MOV"], ["live", "demo"], ["live", "mp4"]].map(([app, name]) => looksLikeFilm({ app, name })),
    [true, true, true, false, false],
  );
});

test("times, sizes, days and languages for people", () => {
  assert.deepEqual([0, 7.9, 725, 3729, NaN].map(format.clock), ["0:00", "0:07", "12:05", "1:02:09", "–:––"]);
  assert.deepEqual([0, 61, 3729, 7200].map(format.clockInWords), ["0 seconds", "1 minute 1 second", "1 hour 2 minutes 9 seconds", "2 hours"]);
  assert.deepEqual([0, 999, 1000, 999_999, 1_500_000, 250e6, 4.2e9, NaN].map(format.size), ["0 B", "999 B", "1 kB", "1000 kB", "1.5 MB", "250 MB", "4.2 GB", "–"]);
  assert.equal(format.day("2026-11-23T10:00:00Z", "en"), "Nov 23, 2026");
  assert.equal(format.day("x"), "");
  assert.deepEqual(["eng", "de", "und", null, "!"].map((code) => format.language(code, "en")), ["English", "German", "", "", "!"]);
});

test("what the server says when it refuses is shown as it says it, if it is for people", () => {
  assert.equal(refusalReason("there is a film of this name\n"), "There is a film of this name");
  assert.equal(refusalReason('{"error":"no moov"}'), "No moov");
  assert.deepEqual(["", "<html>…", "x".repeat(500), '{"a":1}'].map(refusalReason), ["", "", "", ""]);
});

test("what is not worth sending is not sent, and an upload goes on with the same file only", () => {
  assert.equal(rejectReason({ name: "Film.MP4", size: 1 }), "");
  assert.match(rejectReason({ name: "film.avi", size: 1 }), /MP4/);
  assert.match(rejectReason({ name: "film.mp4", size: 0 }), /empty/);
  const one = { id: "1", app: "vod", name: "a.mp4", bytes: 5, changed: 7 };
  assert.equal(sameFile(one, "vod", { name: "a.mp4", size: 5, lastModified: 7 }), true);
  for (const other of [{ name: "b.mp4" }, { size: 6 }, { lastModified: 8 }]) assert.equal(sameFile(one, "vod", { name: "a.mp4", size: 5, lastModified: 7, ...other }), false);
});

test("a page of the catalogue survives the way into the address and back", () => {
  assert.deepEqual(parseHash(formatHash("a & b", 3)), { films: true, search: "a & b", page: 3 });
  assert.equal(formatHash("", 1), "#films");
  assert.deepEqual(parseHash(""), { films: false, search: "", page: 1 });
  assert.equal(parseHash("#films?page=-1").page, 1);
});
