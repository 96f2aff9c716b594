/** When a player counts as stuck, and what is done about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./sources.mjs";

const { frozen, initialPictures, initialStandstill, movedTo, standstill, MOVE_AFTER_S, BEGIN_ANEW_AFTER_S, FROZEN_AFTER_S } = await source("live/standstill.ts");

/** Looks five times a second for so long; what was done, and when. `seen(t)` says what there is to see. */
function watch(seconds, seen) {
  const done = [];
  let state = initialStandstill(0);
  let moved = 0;
  for (let n = 1; n <= seconds * 5; n++) {
    const now = n / 5;
    const glance = { now, playhead: moved, ahead: 2, rests: false, ...seen(now) };
    const step = standstill(state, glance);
    state = step.state;
    if (step.remedy === "move") state = movedTo(state, (moved = glance.playhead + 1));
    if (step.remedy !== "none") done.push([now, step.remedy]);
    if (step.remedy === "begin anew") break;
  }
  return done;
}

test("a player that runs is left alone, whatever it has in hand", () => {
  assert.deepEqual(watch(60, (now) => ({ playhead: now, ahead: now })), []);
});

test("one that stands with media ahead is moved once, and then given up", () => {
  const done = watch(60, () => ({}));
  assert.deepEqual(done.map(([, remedy]) => remedy), ["move", "begin anew"]);
  assert.ok(done[0][0] >= MOVE_AFTER_S && done[0][0] < MOVE_AFTER_S + 0.5, `moved after ${done[0][0]} s`);
  assert.ok(done[1][0] >= BEGIN_ANEW_AFTER_S && done[1][0] < BEGIN_ANEW_AFTER_S + 0.5, `given up after ${done[1][0]} s`);
});

test("one that runs again once it is moved is not given up, and may stand again later", () => {
  const done = watch(12, (now) => (now < 2 || now > 8 ? {} : { playhead: 5 + now }));
  assert.deepEqual(done.map(([, remedy]) => remedy), ["move", "move"]);
});

test("who is paused, unseen or out of media stands for good reason", () => {
  assert.deepEqual(watch(60, () => ({ rests: true })), []);
  assert.deepEqual(watch(60, () => ({ ahead: 0.2 })), []);
});

/** What is made of a run of looks, two in a second: how many pictures were shown at each, and whether time runs. */
function looks(counts, runs = true) {
  let state = initialPictures(0);
  return counts.map((shown, at) => {
    const look = frozen(state, { now: at / 2, shown, runs });
    state = look.state;
    return look.isFrozen;
  });
}

test("a picture that stands while the sound runs is noticed", () => {
  const noticed = looks([0, 10, 20, 30, ...Array(30).fill(40)]).indexOf(true) / 2;
  assert.ok(noticed > 2 + FROZEN_AFTER_S && noticed <= 3 + FROZEN_AFTER_S, String(noticed));
});

test("pictures that are far apart, none at all, and who rests are no frozen ones", () => {
  const slides = Array.from({ length: 200 }, (_, at) => 1 + Math.floor(at / 10));
  assert.ok(!looks(slides).includes(true));
  assert.ok(!looks(Array(100).fill(0)).includes(true));
  assert.ok(!looks([1, 2, ...Array(100).fill(3)], false).includes(true));
});
