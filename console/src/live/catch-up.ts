/**
 * How the player stays close to the live edge. A pure policy: what it sees goes in, what to do comes out; the
 * element and the clock are the caller's.
 *
 * The distance is the buffer between the playhead and the last frame that arrived. What may be given up of it is
 * only the slack: the least that the buffer held over the last moments. A network that hands over two seconds
 * every two seconds needs them all, however full the buffer looks just after. A little too much slack: play a
 * little faster. Far too much: jump. In a gap: step over it. Past a gap that no seek stepped over: seek, for one track
 * may have stayed behind: the sound plays on across a gap that only the pictures have, and in Chromium the picture waits at
 * its edge for good. A stall means that the target was too tight, so it grows by a step and comes back only after a calm
 * while. Thus the player never chases the edge into one stall after another (mpegts.js issue 276).
 */

export interface CatchUpState {
  /** Seconds behind the live edge that are aimed at. */
  target: number;
  /** The rate that was last asked for. */
  rate: number;
  /** When the last jump was made, the last stall was seen and the target last came down: seconds of the caller's clock. */
  jumpedAt: number;
  stalledAt: number;
  relaxedAt: number;
  /** Whether the last look found the player starved, so that one stall is counted once. */
  starved: boolean;
  /** Where the playhead was at the last look, or was sent. */
  playhead: number;
  /** The distance at each of the last samples, oldest first; begun anew after a jump. */
  samples: ReadonlyArray<{ at: number; latency: number }>;
}

export interface Observation {
  /** Seconds of a clock that only goes forward. */
  now: number;
  playhead: number;
  /** `[start, end]` of what is buffered, in order. */
  ranges: ReadonlyArray<readonly [number, number]>;
  paused: boolean;
  /** The element had nothing to show, now or since the last look. */
  starved: boolean;
  /** Whether the viewer wants to be there. Who has gone back is neither hurried nor moved on, but over gaps. */
  atHead: boolean;
  /** Seconds since the first picture. A late viewer is given a whole GOP at once; what is old in it is skipped. */
  playedFor: number;
}

export interface Step {
  state: CatchUpState;
  rate: number;
  /** Where to seek to, always inside what is buffered; `null` to stay. */
  seekTo: number | null;
  /** Seconds between playhead and edge; 0 with nothing buffered. */
  latency: number;
}

export const TARGET_LATENCY_S = 0.7;
export const TARGET_LATENCY_MAX_S = 2.5;
export const JUMP_LATENCY_S = 4;
const STARTUP_JUMP_LATENCY_S = 1.6;
const STARTUP_S = 1.5;
const STALL_STEP_S = 0.3;
const CALM_S = 20;
const BETWEEN_JUMPS_S = 2;
/** How far back the least of the buffer is looked for; with every stall it looks farther. */
const WINDOW_S = 3;
const WINDOW_PER_TARGET = 2;
/** Farther than this beyond the target, the player hurries. */
export const SPEED_UP_OVER_S = 0.4;
const SPEED_UP_MORE_OVER_S = 1.3;
const GAP_NEAR_S = 0.15;
/** Not the very edge of a range: a decoder that starts there has nothing to go on with. */
const INSIDE_S = 0.05;

export function initialState(now: number): CatchUpState {
  return { target: TARGET_LATENCY_S, rate: 1, jumpedAt: -Infinity, stalledAt: now, relaxedAt: now, starved: true, playhead: 0, samples: [] };
}

export function catchUp(before: CatchUpState, seen: Observation): Step {
  const last = seen.ranges.at(-1);
  const state = learn(before, seen);
  if (!last) return { state: { ...state, rate: 1 }, rate: 1, seekTo: null, latency: 0 };

  const latency = Math.max(0, last[1] - seen.playhead);
  if (seen.paused) return { state: { ...state, rate: 1, playhead: seen.playhead, samples: [] }, rate: 1, seekTo: null, latency };

  const window = WINDOW_S + (state.target - TARGET_LATENCY_S) * WINDOW_PER_TARGET;
  const recent = state.samples.filter((sample) => seen.now - sample.at < window);
  state.samples = [...recent, { at: seen.now, latency: seen.starved ? 0 : latency }];

  const seekTo = jump(state, seen, last, latency);
  if (seekTo !== null) {
    return { state: { ...state, rate: 1, jumpedAt: seen.now, playhead: seekTo, samples: [] }, rate: 1, seekTo, latency };
  }
  const rate = seen.atHead ? rateFor(state) : 1;
  // Beyond a gap with nothing there to seek to yet, the crossing is still to be made good.
  const playhead = hasCrossedGap(state, seen) ? state.playhead : seen.playhead;
  return { state: { ...state, rate, playhead }, rate, seekTo: null, latency };
}

/** The target rises with each stall and comes down, a step at a time, while all is calm. */
function learn(state: CatchUpState, seen: Observation): CatchUpState {
  const starved = seen.starved && !seen.paused;
  const seeking = seen.now - state.jumpedAt < 1;
  const next = { ...state, starved };
  if (starved && !state.starved && !seeking) {
    next.target = Math.min(TARGET_LATENCY_MAX_S, state.target + STALL_STEP_S);
    next.stalledAt = seen.now;
  } else if (seen.now - Math.max(state.stalledAt, state.relaxedAt) > CALM_S) {
    next.target = Math.max(TARGET_LATENCY_S, state.target - STALL_STEP_S);
    next.relaxedAt = seen.now;
  }
  return next;
}

function jump(state: CatchUpState, seen: Observation, last: readonly [number, number], latency: number): number | null {
  const nearEdge = Math.max(last[0] + INSIDE_S, last[1] - state.target);
  const target = Math.min(nearEdge, last[1] - INSIDE_S);
  if (hasCrossedGap(state, seen)) {
    const beyond = Math.max(seen.atHead ? target : 0, seen.playhead, last[0]);
    return beyond < last[1] ? beyond : null;
  }
  if (!seen.atHead) return inGap(seen) ? nextStart(seen) : null;
  if (target <= seen.playhead || target < last[0]) return null;

  if (inGap(seen)) return target;
  if (seen.now - state.jumpedAt < BETWEEN_JUMPS_S) return null;
  if (seen.playedFor < STARTUP_S) return latency > STARTUP_JUMP_LATENCY_S && state.jumpedAt === -Infinity ? target : null;
  return slackOf(state) > JUMP_LATENCY_S + (state.target - TARGET_LATENCY_S) ? target : null;
}

/** Where what follows a gap begins. */
function nextStart({ playhead, ranges }: Observation): number | null {
  const next = ranges.find(([start]) => start > playhead);
  return next ? next[0] + INSIDE_S : null;
}

function slackOf({ samples }: CatchUpState): number {
  return Math.min(...samples.map((sample) => sample.latency));
}

/** Outside every range, or at the end of one that another follows. */
function inGap({ playhead, ranges }: Observation): boolean {
  return ranges.every(
    ([start, end], index) =>
      playhead < start - INSIDE_S || playhead > end - (index < ranges.length - 1 ? GAP_NEAR_S : 0),
  );
}

/** Between two looks the playhead has gone over the end of a range that another follows. */
function hasCrossedGap(state: CatchUpState, { playhead, ranges }: Observation): boolean {
  return ranges.slice(0, -1).some(([, end]) => end > state.playhead && end < playhead);
}

/** With hysteresis: having begun to hurry, it hurries until the target is reached. */
function rateFor(state: CatchUpState): number {
  const over = slackOf(state) - state.target;
  if (over > SPEED_UP_MORE_OVER_S) return 1.2;
  if (over > SPEED_UP_OVER_S || (state.rate > 1 && over > 0)) return 1.1;
  return 1;
}
