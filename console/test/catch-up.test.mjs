/** The catch-up policy, on its own and in a simulated network: a player's buffer is simple enough to imitate. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./sources.mjs";

const { catchUp, initialState, TARGET_LATENCY_S, TARGET_LATENCY_MAX_S, JUMP_LATENCY_S, SPEED_UP_OVER_S } = await source("live/catch-up.ts");

const seen = (more) => ({ now: 100, playhead: 10, ranges: [[0, 10.5]], paused: false, starved: false, playedFor: 60, atHead: true, ...more });
const settled = (more) => ({ ...initialState(99), starved: false, playhead: 10, ...more });

test("near the edge it leaves the playback alone", () => {
  const { rate, seekTo, latency } = catchUp(settled(), seen());
  assert.deepEqual({ rate, seekTo, latency }, { rate: 1, seekTo: null, latency: 0.5 });
});

test("a little behind it hurries gently, and goes on until the target is reached", () => {
  const far = catchUp(settled(), seen({ ranges: [[0, 12.5]] }));
  assert.equal(far.rate, 1.2);
  const nearer = catchUp(settled({ rate: 1.2 }), seen({ ranges: [[0, 10 + TARGET_LATENCY_S + 0.1]] }));
  assert.equal(nearer.rate, 1.1, "hysteresis: it does not stop short of the target");
  const there = catchUp(settled({ rate: 1.1 }), seen({ ranges: [[0, 10 + TARGET_LATENCY_S - 0.01]] }));
  assert.equal(there.rate, 1);
  const calm = catchUp(settled({ rate: 1 }), seen({ ranges: [[0, 10 + TARGET_LATENCY_S + 0.1]] }));
  assert.equal(calm.rate, 1, "and does not begin for a trifle");
});

test("more than four seconds behind it jumps to the target, once", () => {
  const ranges = [[0, 10 + JUMP_LATENCY_S + 0.1]];
  const first = catchUp(settled(), seen({ ranges }));
  assert.ok(Math.abs(first.seekTo - (ranges[0][1] - TARGET_LATENCY_S)) < 1e-9, `to ${first.seekTo}`);
  const again = catchUp(first.state, seen({ ranges, now: 100.2 }));
  assert.equal(again.seekTo, null, "a jump must have time to take effect");
});

test("the old part of a GOP given at once is skipped at the start, not played through", () => {
  const ranges = [[0, 12]];
  assert.equal(catchUp(settled(), seen({ ranges, playedFor: 30 })).seekTo, null);
  assert.ok(catchUp(settled(), seen({ ranges, playedFor: 0.2 })).seekTo > 11);
});

test("it steps over a gap, and only when it is at one", () => {
  const ranges = [[0, 10.1], [10.6, 11.2]];
  assert.ok(catchUp(settled(), seen({ playhead: 10.05, ranges })).seekTo >= 10.6);
  assert.ok(catchUp(settled(), seen({ playhead: 10.3, ranges })).seekTo >= 10.6);
  assert.equal(catchUp(settled(), seen({ playhead: 9.5, ranges })).seekTo, null);
  assert.ok(catchUp(settled(), seen({ playhead: 0, ranges: [[5, 6]] })).seekTo >= 5, "before the first picture too");
});

test("a gap that was passed between two looks is sought over afterwards, once, and nothing else is", () => {
  const ranges = [[0, 10.1], [10.2, 11.2]];
  const before = settled({ playhead: 9.9, jumpedAt: 99.9 });
  const past = catchUp(before, seen({ playhead: 10.3, ranges }));
  assert.ok(past.seekTo >= 10.3 && past.seekTo < 11.2, `to ${past.seekTo}`);
  assert.equal(catchUp(past.state, seen({ playhead: past.seekTo + 0.2, ranges, now: 100.2 })).seekTo, null);
  const early = catchUp(before, seen({ playhead: 10.15, ranges: [[0, 10.1], [10.2, 10.2]] }));
  assert.equal(early.seekTo, null, "there is nothing to seek to yet");
  const then = catchUp(early.state, seen({ playhead: 10.3, ranges: [[0, 10.1], [10.2, 10.9]] }));
  assert.ok(then.seekTo >= 10.3, "and the gap is not forgotten");
  // Old ranges are cleared away behind the playhead, and the last one grows.
  assert.equal(catchUp(settled({ playhead: 10.3 }), seen({ playhead: 10.5, ranges })).seekTo, null);
  assert.equal(catchUp(settled({ playhead: 10.3 }), seen({ playhead: 10.5, ranges: [[10.4, 11.2]] })).seekTo, null);
});

test("paused or with nothing buffered it does nothing", () => {
  for (const more of [{ paused: true, ranges: [[0, 90]] }, { ranges: [] }]) {
    const { rate, seekTo } = catchUp(settled({ rate: 1.2 }), seen(more));
    assert.deepEqual({ rate, seekTo }, { rate: 1, seekTo: null });
  }
});

test("each stall is counted once and widens the target; calm narrows it again, never below its least", () => {
  let state = settled();
  state = catchUp(state, seen({ starved: true })).state;
  const once = state.target;
  assert.ok(once > TARGET_LATENCY_S);
  state = catchUp(state, seen({ starved: true, now: 100.2 })).state;
  assert.equal(state.target, once, "the same stall, looked at twice");
  for (let i = 0; i < 50; i++) {
    state = catchUp(state, seen({ now: 101 + i, starved: false })).state;
    state = catchUp(state, seen({ now: 101.5 + i, starved: true })).state;
  }
  assert.equal(state.target, TARGET_LATENCY_MAX_S);
  for (let i = 0; i < 400; i++) state = catchUp(state, seen({ now: 200 + i })).state;
  assert.equal(state.target, TARGET_LATENCY_S);
});

/**
 * A stream of one second per second that the network hands over as `arrived(t)` seconds of media; the playhead
 * advances as a browser's would. The policy looks every 200 ms, the playhead moves every 20.
 */
function simulate({ arrived, length }) {
  const log = { jumps: 0, stalls: 0, stalledLate: 0, latency: [] };
  let state = initialState(0);
  let [playhead, rate, playedFor, starved, ranDry] = [0, 1, 0, true, false];
  for (let tick = 1; tick * 0.02 < length; tick++) {
    const now = tick * 0.02;
    const edge = arrived(now);
    const wasStarved = starved;
    // A browser that ran dry goes on when it has a little in hand.
    starved = edge - playhead < (wasStarved ? 0.1 : 0.001);
    if (starved && !wasStarved) {
      ranDry = true;
      log.stalls += 1;
      if (now > length / 2) log.stalledLate += 1;
    }
    if (!starved) {
      playhead = Math.min(edge, playhead + 0.02 * rate);
      playedFor += 0.02;
    }
    if (tick % 10 !== 0) continue;
    const step = catchUp(state, { now, playhead, ranges: edge > 0 ? [[0, edge]] : [], paused: false, starved: starved || ranDry, playedFor, atHead: true });
    ranDry = false;
    assert.ok([1, 1.1, 1.2].includes(step.rate));
    if (step.seekTo !== null) {
      assert.ok(step.seekTo > playhead && step.seekTo < edge, `seek to ${step.seekTo} outside (${playhead}, ${edge})`);
      playhead = step.seekTo;
      log.jumps += 1;
    }
    ({ state, rate } = step);
    log.latency.push(edge - playhead);
  }
  return log;
}

test("on a good network a viewer who was given a GOP of any length is soon near the edge, and stays", () => {
  for (const gop of [0.5, 1, 2, 4, 10]) {
    const { latency, jumps, stalls } = simulate({ arrived: (t) => gop + t, length: 40 });
    const late = latency.slice(-100);
    assert.ok(Math.max(...late) <= TARGET_LATENCY_S + SPEED_UP_OVER_S + 0.01, `GOP of ${gop} s: ${Math.max(...late)} s behind`);
    assert.ok(jumps <= 1, `GOP of ${gop} s: ${jumps} jumps`);
    assert.equal(stalls, 0);
  }
});

test("after a freeze of the network of ten seconds it is back at the edge by one jump", () => {
  const { latency, jumps } = simulate({ arrived: (t) => (t > 20 && t < 30 ? 20 : t), length: 60 });
  assert.ok(latency.at(-1) <= 1.5, `${latency.at(-1)} s behind`);
  assert.ok(jumps <= 2, `${jumps} jumps`);
});

test("on a network that hands over in lumps it keeps what it needs instead of stalling for ever", () => {
  for (const lump of [0.5, 1, 1.5, 2, 3]) {
    const { stalls, stalledLate, jumps } = simulate({ arrived: (t) => Math.floor(t / lump) * lump, length: 240 });
    assert.equal(stalledLate, 0, `lumps of ${lump} s: ${stalls} stalls, ${stalledLate} of them in the second half`);
    assert.ok(stalls <= 6 && jumps <= 3, `lumps of ${lump} s: ${stalls} stalls, ${jumps} jumps`);
  }
  const { stalledLate } = simulate({ arrived: (t) => Math.floor(t / 6) * 6, length: 240 });
  assert.ok(stalledLate <= 6, `${stalledLate} stalls in 20 lumps of six seconds: it tries again, but seldom`);
});

test("slack left over from a bad hour is given back by playing faster", () => {
  const { latency, jumps } = simulate({ arrived: (t) => (t < 20 ? Math.floor(t / 3) * 3 : t), length: 90 });
  assert.ok(Math.max(...latency.slice(-50)) <= TARGET_LATENCY_S + SPEED_UP_OVER_S + 0.01, `${latency.at(-1)} s behind`);
  assert.ok(jumps <= 2);
});
