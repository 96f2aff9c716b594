/** The state machine of a film that plays, driven without a browser: an element that is a record, a server that is a list. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { source } from "./sources.mjs";

const { Playback } = await source("film/playback.ts");
const { selectSources } = await source("film/sources.ts");

const urls = { file: "/vod/a.mp4", hls: "/vod/a.mp4/index.m3u8", flv: "/vod/a.flv" };
const tracks = [{ kind: "video", index: 0, codec: "H.264", codec_string: "avc1.42c01e" }, { kind: "audio", index: 1, codec: "AAC", codec_string: "mp4a.40.2" }];
const FILM = { app: "vod", name: "a.mp4", duration: 90, tracks, urls };
const ANY = { canPlayType: () => true, isTypeSupported: () => true };
const NONE = { canPlayType: () => false, isTypeSupported: () => false };
const FRESH = { readyState: 0, paused: true, ended: false, playbackRate: 1, currentTime: 0, duration: NaN, buffered: [], offset: 0, audioTracks: [], audioTrack: 0, qualities: [], quality: -1 };

/** What `Playback` asks for is written down; what becomes of it, the test says. */
class Stage {
  asked = [];
  element = { ...FRESH };
  attempt = 0;

  open({ kind }, at, attempt) {
    this.attempt = attempt;
    this.element = { ...FRESH };
    this.asked.push(`open ${kind} at ${at}`);
  }
  lookUp(attempt) {
    this.attempt = attempt;
    this.asked.push("look up");
  }
  play() {
    this.element.paused = false;
    this.asked.push("play");
  }
  pause() {
    this.element.paused = true;
    this.asked.push("pause");
  }
  seek(to) {
    this.asked.push(`seek ${to}`);
  }
  setRate(rate) {
    this.element.playbackRate = rate;
  }
  setAudioTrack(index) {
    this.element.audioTrack = index;
  }
  setQuality(index) {
    this.element.quality = index;
  }
  closeEngine() {}
  close() {
    this.asked.push("close");
  }
  read() {
    return this.element;
  }
}

function stand({ film = FILM, can = ANY, at = 0 } = {}) {
  const stage = new Stage();
  const views = [];
  const playback = new Playback(stage, film, selectSources(film, can), at, (view) => views.push(view));
  playback.start();
  /** The element changes, and says so. */
  const element = (news, event = "changed") => {
    Object.assign(stage.element, news);
    playback[event]();
  };
  return {
    ...{ stage, views, playback, element },
    phase: () => playback.view.phase,
    opened: () => playback.opened(stage.attempt),
    failed: (kind) => playback.failed(stage.attempt, kind),
    answered: (answer) => playback.answered(stage.attempt, answer),
    /** What was asked for since the last question. */
    asked: () => stage.asked.splice(0),
  };
}

const FLOWING = { readyState: 4, duration: 90, paused: false };

function playing(more) {
  const film = stand(more);
  film.opened();
  film.element({ ...FLOWING, currentTime: 1 });
  film.asked();
  assert.equal(film.phase(), "playing");
  return film;
}

test("a film is loaded, and plays when there is something to show", () => {
  const film = stand();
  assert.equal(film.phase(), "opening");
  assert.equal(film.playback.view.source, "file");
  film.opened();
  assert.deepEqual(film.asked(), ["open file at 0", "play"]);
  film.element({ readyState: 1, duration: 90 });
  assert.equal(film.phase(), "opening", "the length is known, but there is no picture yet");
  film.element({ readyState: 3, currentTime: 0.04, buffered: [[0, 4]] });
  assert.equal(film.phase(), "playing");
  assert.deepEqual(film.playback.view.buffered, [[0, 4]]);
});

test("a browser that wants a hand first has the film ready, and gets one", () => {
  const film = stand();
  film.opened();
  film.element({ readyState: 4, duration: 90, paused: true });
  film.playback.playRefused();
  assert.equal(film.phase(), "ready");
  film.asked();
  film.playback.toggle();
  film.element(FLOWING);
  assert.deepEqual(film.asked(), ["play"]);
  assert.equal(film.phase(), "playing");
});

test("what the browser can't play is refused before a byte is asked for, and not tried again", () => {
  const film = stand({ can: NONE });
  assert.equal(film.phase(), "failed");
  assert.match(film.playback.view.failure.title, /can’t play H\.264 or AAC/);
  film.playback.toggle();
  assert.deepEqual(film.asked(), []);
});

test("what is missing is said, and the rest plays", () => {
  const film = stand({ can: { canPlayType: (type) => type.includes("mp4a"), isTypeSupported: () => false } });
  assert.deepEqual([film.playback.view.soundOnly, film.playback.view.source], [true, "file"]);
  assert.match(film.playback.view.missing, /Sound only.*H\.264/);
});

test("a film that the browser stumbles over is tried from the next source, from where it was: file, HLS, FLV, none", () => {
  const film = playing();
  film.element({ currentTime: 41 });
  film.failed("media");
  assert.deepEqual([film.asked(), film.phase(), film.playback.view.source], [["open hls at 41"], "buffering", "hls"]);
  film.opened();
  film.failed("media");
  assert.deepEqual([film.asked(), film.playback.view.source], [["play", "open flv at 41"], "flv"]);
  // The last one: the server may know why.
  film.opened();
  film.failed("media");
  assert.deepEqual(film.asked(), ["play", "look up"]);
  film.answered({ kind: "found", film: FILM });
  assert.deepEqual(film.asked(), ["open flv at 41"]);
  film.opened();
  film.failed("media");
  film.answered({ kind: "found", film: FILM });
  assert.equal(film.phase(), "failed");
  assert.match(film.playback.view.failure.title, /can’t be played on/);
});

test("a source that has played again has its error forgiven", () => {
  const film = playing();
  for (let times = 0; times < 5; times++) {
    film.failed("network");
    film.answered({ kind: "found", film: FILM });
    film.opened();
    film.element({ ...FLOWING, currentTime: 2 + times });
    assert.deepEqual([film.phase(), film.playback.view.source], ["playing", "file"]);
  }
});

test("a source that fails again before it has played is given up", () => {
  const film = stand();
  film.failed("network");
  film.answered({ kind: "found", film: FILM });
  film.failed("network");
  film.answered({ kind: "found", film: FILM });
  assert.deepEqual(film.asked(), ["open file at 0", "look up", "open file at 0", "look up", "open hls at 0"]);
});

test("a place that is not got past is given up, though what is before it plays again", () => {
  const film = playing({ film: { ...FILM, name: "a.flv" } });
  film.element({ currentTime: 41 });
  const opened = [];
  for (let times = 0; times < 10 && film.phase() !== "failed"; times++) {
    film.failed("network");
    film.answered({ kind: "found", film: FILM });
    opened.push(film.asked().at(-1));
    film.opened();
    film.element({ ...FLOWING, currentTime: 41.2 });
    film.element({ readyState: 2 });
  }
  assert.equal(film.phase(), "failed");
  assert.deepEqual(opened, ["open hls at 41", "open flv at 41.2", "open flv at 41.2", "look up"]);
});

test("a viewer who goes elsewhere has what failed forgiven", () => {
  const film = playing();
  for (let times = 0; times < 5; times++) {
    film.element({ currentTime: 41 });
    film.failed("network");
    film.answered({ kind: "found", film: FILM });
    film.opened();
    film.playback.seek(7);
    film.element({ ...FLOWING, currentTime: 7 }, "seeked");
    assert.deepEqual([film.phase(), film.playback.view.source], ["playing", "file"]);
  }
});

test("a file of which the browser finds too little is played from the next source", () => {
  const film = stand();
  film.opened();
  film.element({ readyState: 1, duration: 12 }, "measured");
  assert.equal(film.playback.view.source, "hls");
  for (const duration of [NaN, Infinity]) {
    const other = stand();
    other.opened();
    other.element({ readyState: 1, duration }, "measured");
    assert.equal(other.playback.view.source, "hls", `${duration}`);
  }
  const near = stand();
  near.opened();
  near.element({ readyState: 1, duration: 84 }, "measured");
  assert.equal(near.playback.view.source, "file");
});

test("a server that is silent is waited for, ever more seldom, and the film goes on where it stopped", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const film = playing();
    film.element({ currentTime: 30 });
    film.failed("network");
    assert.equal(film.phase(), "playing", "until the server has been asked, it is a hitch");
    for (const wait of [500, 800, 1280, 2048, 3277, 5000, 5000]) {
      assert.deepEqual(film.asked(), ["look up"]);
      film.answered({ kind: "silent" });
      assert.equal(film.phase(), "away");
      film.element({ readyState: 1 });
      assert.equal(film.phase(), "away", "what the element says meanwhile changes nothing");
      mock.timers.tick(wait - 1);
      assert.deepEqual(film.asked(), [], `asked before ${wait} ms were over`);
      mock.timers.tick(1);
    }
    film.answered({ kind: "found", film: FILM });
    assert.deepEqual([film.asked(), film.phase(), film.playback.view.failure], [["look up", "open file at 30"], "buffering", null]);
    film.opened();
    film.element({ ...FLOWING, currentTime: 30 });
    assert.equal(film.phase(), "playing");
  } finally {
    mock.timers.reset();
  }
});

test("a film that is gone, or may not be seen, fails with the reason, and can be tried again", () => {
  const reasons = [
    [{ kind: "absent" }, /no film of this name/],
    [{ kind: "refused", status: 401, reason: "" }, /may not watch/],
    [{ kind: "refused", status: 403, reason: "" }, /may not watch/],
    [{ kind: "refused", status: 500, reason: "" }, /can’t be played on/],
  ];
  for (const [answer, title] of reasons) {
    const film = playing();
    film.failed("network");
    film.answered(answer);
    assert.equal(film.phase(), "failed");
    assert.match(film.playback.view.failure.title, title);
    film.asked();
    film.playback.retry();
    assert.deepEqual([film.asked(), film.phase(), film.playback.view.failure], [["open file at 1"], "buffering", null]);
  }
});

test("it is paused and goes on", () => {
  const film = playing();
  film.playback.toggle();
  film.element({ paused: true });
  assert.equal(film.phase(), "paused");
  film.playback.play();
  film.element({ paused: false });
  assert.equal(film.phase(), "playing");
  film.playback.play();
  assert.deepEqual(film.asked(), ["pause", "play"], "asked to play, what plays is left alone");
});

test("paused by the browser itself, by a media key for one, it is paused", () => {
  const film = playing();
  film.element({ paused: true }, "paused");
  assert.equal(film.phase(), "paused");
  film.element({ paused: false }, "resumed");
  film.element({});
  assert.equal(film.phase(), "playing");
  film.element({ paused: true, ended: true }, "paused");
  assert.equal(film.phase(), "ended", "the end of a film is no pause");
});

test("a paused film is still paused after another source was opened", () => {
  const film = playing();
  film.playback.toggle();
  film.element({ paused: true });
  film.failed("media");
  film.opened();
  assert.deepEqual(film.asked(), ["pause", "open hls at 1"]);
  film.element({ readyState: 4, duration: 90 });
  assert.equal(film.phase(), "paused");
});

test("nothing left in the buffer is a wait", () => {
  const film = playing();
  film.element({ readyState: 2 });
  assert.equal(film.phase(), "buffering");
  film.element({ readyState: 3 });
  assert.equal(film.phase(), "playing");
});

test("while it seeks, the place is the one that was asked for, and stays within the film", () => {
  const film = playing();
  film.playback.seek(50);
  assert.equal(film.playback.view.time, 50);
  film.element({ currentTime: 1.2, readyState: 1 });
  assert.deepEqual([film.playback.view.time, film.phase()], [50, "buffering"]);
  film.element({ currentTime: 50, readyState: 4 }, "seeked");
  film.element({ currentTime: 50.4 });
  assert.deepEqual([film.playback.view.time, film.phase()], [50.4, "playing"]);
  film.playback.seek(-3);
  film.playback.seek(500);
  assert.deepEqual(film.asked(), ["seek 50", "seek 0", "seek 89.95"]);
});

test("a source that begins in the middle counts from there", () => {
  const film = playing();
  film.element({ offset: 40, currentTime: 2, duration: 50, buffered: [[0, 5]] });
  assert.deepEqual([film.playback.view.time, film.playback.view.duration, film.playback.view.buffered], [42, 90, [[40, 45]]]);
});

test("at its end it can be watched again from the start", () => {
  const film = playing();
  film.element({ ended: true, paused: true, currentTime: 90 });
  assert.equal(film.phase(), "ended");
  film.playback.toggle();
  assert.deepEqual(film.asked(), ["seek 0", "play"]);
  film.element({ ...FLOWING, ended: false, currentTime: 0 }, "seeked");
  assert.deepEqual([film.phase(), film.playback.view.time], ["playing", 0]);
});

test("it begins at the place that was asked for, but never beyond the end", () => {
  assert.deepEqual([63, 500].map((at) => stand({ at }).asked()), [["open file at 63"], ["open file at 89.95"]]);
  assert.equal(stand({ at: 63 }).playback.view.time, 63);
});

test("speed, sound track and quality are chosen, and the speed outlives the source", () => {
  const film = playing();
  film.playback.setRate(1.5);
  film.element({ audioTracks: ["eng", "deu"], qualities: ["720p", "360p"] });
  film.playback.setAudioTrack(1);
  film.playback.setQuality(0);
  const { rate, audioTracks, audioTrack, qualities, quality } = film.playback.view;
  assert.deepEqual({ rate, audioTracks, audioTrack, qualities, quality }, { rate: 1.5, audioTracks: ["eng", "deu"], audioTrack: 1, qualities: ["720p", "360p"], quality: 0 });
  film.failed("media");
  film.opened();
  assert.equal(film.stage.element.playbackRate, 1.5);
});

test("what comes late, of a source that was given up, is not heard", () => {
  const film = stand();
  const first = film.stage.attempt;
  film.failed("media");
  film.asked();
  film.playback.opened(first);
  film.playback.failed(first, "media");
  film.playback.answered(first, { kind: "absent" });
  assert.deepEqual([film.asked(), film.phase(), film.playback.isCurrent(first)], [[], "opening", false]);
});

test("a closed film asks for nothing and says nothing", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const film = playing();
    film.failed("network");
    film.answered({ kind: "silent" });
    film.asked();
    film.playback.close();
    const told = film.views.length;
    mock.timers.tick(10_000);
    film.element({ currentTime: 3 });
    film.opened();
    assert.deepEqual(film.asked(), ["close"]);
    assert.equal(film.views.length, told);
  } finally {
    mock.timers.reset();
  }
});

test("a film that stands still is noticed, said, and begun anew from there; one that is paused or unseen is not", () => {
  const film = playing();
  film.element({ readyState: 2, currentTime: 7, buffered: [[0, 7]] });
  assert.equal(film.phase(), "buffering");
  film.playback.look(1000);
  film.playback.look(4000);
  assert.equal(film.playback.view.stands, false);
  film.playback.look(5500);
  assert.equal(film.playback.view.stands, true, "the page says that it waits");
  // More of it comes: that is no standing still, however slow.
  for (let second = 6; second < 40; second++) {
    film.element({ buffered: [[0, 7 + second / 100]] });
    film.playback.look(second * 1000);
  }
  assert.equal(film.playback.view.stands, false);
  assert.deepEqual(film.asked(), []);
  film.playback.look(45_000, true);
  film.playback.look(100_000, true);
  assert.deepEqual(film.asked(), [], "nobody looks");
  film.playback.look(111_000);
  assert.deepEqual(film.asked(), []);
  film.playback.look(113_000);
  assert.deepEqual(film.asked(), ["look up"]);
  film.answered({ kind: "found", film: FILM });
  assert.deepEqual(film.asked(), ["open file at 7"]);

  const paused = playing();
  paused.playback.toggle();
  paused.element({ paused: true }, "paused");
  paused.asked();
  for (const now of [1000, 100_000, 4_000_000]) paused.playback.look(now);
  assert.deepEqual([paused.asked(), paused.phase(), paused.playback.view.stands], [[], "paused", false]);

  const opening = stand();
  opening.opened();
  opening.asked();
  opening.playback.look(0);
  opening.playback.look(59_000);
  assert.deepEqual([opening.asked(), opening.playback.view.stands], [[], true], "the server may have to read it first");
  opening.playback.look(60_000);
  assert.deepEqual(opening.asked(), ["look up"]);
});
