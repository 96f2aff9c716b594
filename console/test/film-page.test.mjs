/** The state machines around a film, driven without a browser: what its page shows, and which page an address gets. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { source } from "./sources.mjs";

const { PageState, RATES } = await source("film/page-state.ts");
const { PageChoice } = await source("watch/page-choice.ts");

const FILM = {
  ...{ app: "vod", name: "a.mp4", duration: 600, urls: {} },
  tracks: [{ kind: "video", index: 0, codec: "H.264", codec_string: null, frame_rate: 50 }],
  subtitles: [{ language: "en", name: "a.en.vtt", url: "/a.en.vtt" }, { language: null, name: "notes.vtt", url: "/notes.vtt" }],
};
const SHELF = "headwater.films";
const keptAt = (at) => JSON.stringify({ "vod/a.mp4": { at, of: 600, when: 1 } });

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] }));
afterEach(() => mock.timers.reset());

/** A page with its player, its element and its storage as records. */
function stand({ kept = "{}", startAt = null } = {}) {
  const done = [];
  const store = new Map([[SHELF, kept]]);
  const element = { volume: 1, muted: false };
  let page;
  const does = (name) => (...words) => done.push([name, ...words].join(" "));
  page = new PageState(
    FILM,
    startAt,
    { getItem: (key) => store.get(key) ?? null, setItem: (key, value) => store.set(key, value) },
    { fetchThumbnails: does("thumbnails"), toggleFullscreen: does("fullscreen"), togglePip: does("pip"), focusSettingsButton: does("focus") },
    () => {},
  );
  let film = { phase: "opening", time: 0, duration: 600, rate: 1 };
  const tell = (news) => page.filmChanged((film = { ...film, ...news }));
  const player = {
    ...{ toggle: does("toggle"), play: does("play"), setRate: does("rate") },
    seek(to) {
      done.push(`seek ${to}`);
      tell({ time: to });
    },
  };
  page.start(player, element);
  const press = (command) => {
    page.run(command);
    page.volumeChanged(element);
  };
  return { page, element, tell, press, view: () => page.view, done: () => done.splice(0), kept: () => JSON.parse(store.get(SHELF))["vod/a.mp4"]?.at };
}

test("until there is a picture there are no controls, and keys but that of the full screen do nothing", () => {
  const { page, press, tell, view, done } = stand();
  assert.deepEqual([view().phase, view().shown], ["opening", false]);
  press({ kind: "toggle" });
  press({ kind: "by", seconds: 5 });
  press({ kind: "fullscreen" });
  assert.deepEqual(done(), ["fullscreen"]);
  tell({ phase: "failed" });
  assert.equal(view().shown, false);
  for (const [phase, stopped] of [["ready", true], ["playing", false], ["buffering", false], ["paused", true], ["ended", true], ["away", false]]) {
    tell({ phase });
    assert.deepEqual([view().shown, view().stopped], [true, stopped], phase);
  }
  page.stop();
});

test("a place that was left is on offer; taken up, the film goes on there", () => {
  const { page, tell, view, done, kept } = stand({ kept: keptAt(300) });
  tell({ phase: "playing", time: 2 });
  assert.equal(view().resumeAt, 300);
  tell({ phase: "paused", time: 20 });
  assert.equal(kept(), 300, "what is on offer is not lost");
  page.acceptOffer();
  assert.deepEqual([done(), view().resumeAt, view().film.time], [["seek 300", "play"], null, 300]);
});

test("the offer goes when it is declined, when the viewer seeks, and when the start was watched for a while", () => {
  for (const leave of [({ page }) => page.declineOffer(), ({ page }) => page.seek(50), ({ tell }) => tell({ phase: "playing", time: 25.1 })]) {
    const one = stand({ kept: keptAt(300) });
    one.tell({ phase: "playing", time: 24 });
    assert.equal(one.view().resumeAt, 300);
    leave(one);
    assert.equal(one.view().resumeAt, null);
  }
  assert.equal(stand({ kept: keptAt(300), startAt: 10 }).view().resumeAt, null, "a link with a time is meant");
  assert.equal(stand({ kept: keptAt(5) }).view().resumeAt, null);
});

test("the place is kept every five seconds and at a pause, and forgotten at the end", () => {
  const { page, tell, kept } = stand();
  tell({ phase: "playing", time: 100 });
  mock.timers.tick(4999);
  assert.equal(kept(), undefined);
  mock.timers.tick(1);
  assert.equal(kept(), 100);
  tell({ phase: "paused", time: 107 });
  assert.equal(kept(), 107);
  tell({ phase: "ended", time: 600 });
  assert.equal(kept(), undefined);
  tell({ phase: "playing", time: 200 });
  page.stop();
  mock.timers.tick(20_000);
  assert.equal(kept(), undefined, "a page that is gone keeps nothing");
});

test("keys seek, say so, and show the place for a moment", () => {
  const { press, tell, view, done } = stand();
  tell({ phase: "playing", time: 100 });
  press({ kind: "by", seconds: 10 });
  assert.deepEqual([done(), view().message, view().peek], [["seek 110", "thumbnails"], "+10 s", 110]);
  mock.timers.tick(1100);
  assert.deepEqual([view().message, view().peek], ["", null]);
  press({ kind: "by", seconds: -5 });
  assert.equal(view().message, "−5 s");
  press({ kind: "share", share: 0.5 });
  press({ kind: "frame", frames: 1 });
  assert.deepEqual(done(), ["seek 105", "thumbnails", "seek 300", "thumbnails"], "single frames only while it stands still");
  tell({ phase: "paused" });
  press({ kind: "frame", frames: 1 });
  assert.deepEqual(done(), ["seek 300.02", "thumbnails"]);
});

test("volume and muting", () => {
  const { press, page, element, tell, view } = stand();
  tell({ phase: "playing" });
  press({ kind: "volume", by: -0.1 });
  assert.deepEqual([element.volume, view().message], [0.9, "Volume 90 %"]);
  press({ kind: "mute" });
  assert.deepEqual([element.muted, view().muted, view().message], [true, true, "Muted"]);
  press({ kind: "volume", by: 0.1 });
  assert.deepEqual(element, { muted: false, volume: 0.1 });
  for (let times = 0; times < 3; times++) press({ kind: "volume", by: -0.1 });
  assert.deepEqual(element, { muted: true, volume: 0 });
  page.toggleMuted();
  assert.deepEqual([element, view().message], [{ muted: false, volume: 0.5 }, "Sound on"]);
});

test("the speed goes step by step to its ends", () => {
  const { page, press, tell, view, done } = stand();
  tell({ phase: "playing" });
  press({ kind: "rate", by: 1 });
  assert.deepEqual([done(), view().message], [["rate 1.25"], "1.25×"]);
  for (const [rate, by] of [[RATES.at(-1), 1], [RATES[0], -1]]) {
    tell({ rate });
    press({ kind: "rate", by });
    assert.deepEqual(done(), [`rate ${rate}`]);
  }
  page.setRate(1);
  assert.equal(view().message, "Normal speed");
});

test("subtitles go round: off, each, off", () => {
  const { press, tell, view } = stand();
  tell({ phase: "playing" });
  const seen = [];
  for (let times = 0; times < 4; times++) {
    press({ kind: "subtitles" });
    seen.push([view().subtitle, view().message]);
  }
  assert.deepEqual(seen, [[0, "Subtitles: English"], [1, "Subtitles: notes.vtt"], [-1, "Subtitles off"], [0, "Subtitles: English"]]);
});

test("one panel at a time; a click beside it closes it, and the keyboard goes back to where the settings are", () => {
  const { page, press, tell, view, done } = stand();
  tell({ phase: "playing" });
  page.openPanel("settings");
  press({ kind: "about" });
  assert.equal(view().panel, "about");
  press({ kind: "close" });
  assert.deepEqual([view().panel, done()], [null, []]);
  page.openPanel("settings");
  press({ kind: "close" });
  assert.deepEqual([view().panel, done()], [null, ["focus"]]);
  page.openPanel("about");
  page.pictureClicked(false);
  assert.deepEqual([view().panel, done()], [null, []], "and does nothing else");
  page.pictureClicked(false);
  assert.deepEqual(done(), ["toggle"]);
});

test("the controls go when nobody is there, but not over a panel, an offer or a still picture", () => {
  const { page, tell, view } = stand({ kept: keptAt(300) });
  tell({ phase: "playing", time: 1 });
  page.touched();
  mock.timers.tick(2799);
  page.declineOffer();
  assert.equal(view().quiet, false);
  mock.timers.tick(1);
  assert.equal(view().quiet, true);
  page.openPanel("settings");
  assert.equal(view().quiet, false);
  page.openPanel(null);
  tell({ phase: "paused" });
  assert.equal(view().quiet, false);
  tell({ phase: "playing" });
  assert.equal(view().quiet, true);
  page.touched();
  assert.equal(view().quiet, false);
});

test("a finger brings the controls back, and the next puts them away", () => {
  const { page, tell, view, done } = stand();
  tell({ phase: "playing" });
  page.touched();
  mock.timers.tick(3000);
  page.touched();
  page.pictureClicked(true);
  assert.equal(view().quiet, false);
  page.touched();
  page.pictureClicked(true);
  assert.equal(view().quiet, true);
  assert.deepEqual(done(), []);
});

/** A watch page of this name, before a server that gives these answers. */
function choose(name, ...answers) {
  const pages = [];
  const choice = new PageChoice(name, async () => answers.shift(), (page) => pages.push(page.kind));
  return { choice, pages };
}
const absent = { kind: "absent" };
const found = { kind: "found", film: FILM };

test("a name like a film's is asked for first: found, not found and then found, refused and tried again", async () => {
  const name = { app: "vod", name: "a.mp4" };
  const there = choose(name, found);
  assert.equal(there.choice.page.kind, "loading");
  await there.choice.start();
  assert.deepEqual(there.pages, ["loading", "film"]);

  const later = choose(name, absent, absent, found);
  await later.choice.start();
  assert.deepEqual(later.choice.page, { kind: "live", filmMissing: true });
  await later.choice.streamAbsent();
  await later.choice.streamAbsent();
  assert.deepEqual(later.pages, ["loading", "live", "film"]);

  const locked = choose(name, { kind: "refused", status: 403, reason: "" }, { kind: "refused", status: 500, reason: "No moov" }, found);
  await locked.choice.start();
  assert.match(locked.choice.page.failure.title, /may not watch/);
  await locked.choice.start();
  assert.deepEqual([locked.choice.page.failure.title, locked.choice.page.failure.detail], ["This film can’t be played", "No moov"]);
  await locked.choice.start();
  assert.equal(locked.choice.page.kind, "film");
});

test("any other name is a stream's, and asked for as a film once, when there is no such stream", async () => {
  const { choice, pages } = choose({ app: "live", name: "demo" }, absent, found);
  await choice.start();
  assert.deepEqual([pages, choice.page], [[], { kind: "live", filmMissing: false }]);
  await choice.streamAbsent();
  await choice.streamAbsent();
  assert.deepEqual(pages, []);
  const film = choose({ app: "live", name: "demo" }, found);
  await film.choice.streamAbsent();
  assert.equal(film.choice.page.kind, "film");
  const refused = choose({ app: "live", name: "demo" }, { kind: "refused", status: 401, reason: "" });
  await refused.choice.streamAbsent();
  assert.equal(refused.choice.page.kind, "live", "what is refused as a film may come as a stream");
  const nothing = choose(null);
  await nothing.choice.start();
  assert.deepEqual(nothing.pages, []);
});
