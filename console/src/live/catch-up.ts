/**
 * How the player stays close to the live edge. A pure policy: what it sees goes in, what to do comes out; the
 * element and the clock are the caller's.
 *
 * The distance is the buffer between the playhead and the last frame that arrived. What may be given up of it is
 * only the slack: the least that the buffer held over the last moments. A network that hands over two seconds
 * every two seconds needs them all, however full the buffer looks just after. A little too much slack: play a
 * little faster. Far too much: jump. In a gap: step over it. A stall means that the target was too tight, so it
 * grows by a step and comes back only after a calm while. Thus the player never chases the edge into one stall
 * after another (mpegts.js issue 276).
 */

export interface Pace {
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
  /** The distance at each of the last looks, oldest first; begun anew after a jump. */
  looks: ReadonlyArray<{ at: number; behind: number }>;
}

export interface Sight {
  /** Seconds of a clock that only goes forward. */
  now: number;
  playhead: number;
  /** `[start, end]` of what is buffered, in order. */
  ranges: ReadonlyArray<readonly [number, number]>;
  paused: boolean;
  /** The element had nothing to show, now or since the last look. */
  starved: boolean;
  /** Seconds since the first picture. A late viewer is given a whole GOP at once; what is old in it is skipped. */
  playedFor: number;
}

export interface Step {
  pace: Pace;
  rate: number;
  /** Where to seek to, always inside what is buffered; `null` to stay. */
  seekTo: number | null;
  /** Seconds between playhead and edge; 0 with nothing buffered. */
  behind: number;
}

export const TARGET_S = 0.7;
export const TARGET_MOST_S = 2.5;
export const JUMP_S = 4;
const JUMP_AT_START_S = 1.6;
const START_S = 1.5;
const STALL_STEP_S = 0.3;
const CALM_S = 20;
const BETWEEN_JUMPS_S = 2;
/** How far back the least of the buffer is looked for; with every stall it looks farther. */
const MEMORY_S = 3;
const MEMORY_PER_TARGET = 2;
/** Farther than this beyond the target, the player hurries. */
export const FASTER_OVER_S = 0.4;
const MUCH_FASTER_OVER_S = 1.3;
const GAP_NEAR_S = 0.15;
/** Not the very edge of a range: a decoder that starts there has nothing to go on with. */
const INSIDE_S = 0.05;

export function startPace(now: number): Pace {
  return { target: TARGET_S, rate: 1, jumpedAt: -Infinity, stalledAt: now, relaxedAt: now, starved: true, looks: [] };
}

export function catchUp(before: Pace, sight: Sight): Step {
  const last = sight.ranges.at(-1);
  const pace = learn(before, sight);
  if (!last) return { pace: { ...pace, rate: 1 }, rate: 1, seekTo: null, behind: 0 };

  const behind = Math.max(0, last[1] - sight.playhead);
  if (sight.paused) return { pace: { ...pace, rate: 1, looks: [] }, rate: 1, seekTo: null, behind };

  const memory = MEMORY_S + (pace.target - TARGET_S) * MEMORY_PER_TARGET;
  const recent = pace.looks.filter((look) => sight.now - look.at < memory);
  pace.looks = [...recent, { at: sight.now, behind: sight.starved ? 0 : behind }];

  const seekTo = jump(pace, sight, last, behind);
  if (seekTo !== null) {
    return { pace: { ...pace, rate: 1, jumpedAt: sight.now, looks: [] }, rate: 1, seekTo, behind };
  }
  const rate = rateFor(pace);
  return { pace: { ...pace, rate }, rate, seekTo: null, behind };
}

/** The target rises with each stall and comes down, a step at a time, while all is calm. */
function learn(pace: Pace, sight: Sight): Pace {
  const starved = sight.starved && !sight.paused;
  const seeking = sight.now - pace.jumpedAt < 1;
  const next = { ...pace, starved };
  if (starved && !pace.starved && !seeking) {
    next.target = Math.min(TARGET_MOST_S, pace.target + STALL_STEP_S);
    next.stalledAt = sight.now;
  } else if (sight.now - Math.max(pace.stalledAt, pace.relaxedAt) > CALM_S) {
    next.target = Math.max(TARGET_S, pace.target - STALL_STEP_S);
    next.relaxedAt = sight.now;
  }
  return next;
}

function jump(pace: Pace, sight: Sight, last: readonly [number, number], behind: number): number | null {
  const nearEdge = Math.max(last[0] + INSIDE_S, last[1] - pace.target);
  const target = Math.min(nearEdge, last[1] - INSIDE_S);
  if (target <= sight.playhead || target < last[0]) return null;

  if (inGap(sight)) return target;
  if (sight.now - pace.jumpedAt < BETWEEN_JUMPS_S) return null;
  if (sight.playedFor < START_S) return behind > JUMP_AT_START_S && pace.jumpedAt === -Infinity ? target : null;
  return slackOf(pace) > JUMP_S + (pace.target - TARGET_S) ? target : null;
}

function slackOf({ looks }: Pace): number {
  return Math.min(...looks.map((look) => look.behind));
}

/** Outside every range, or at the end of one that another follows. */
function inGap({ playhead, ranges }: Sight): boolean {
  return ranges.every(
    ([start, end], index) =>
      playhead < start - INSIDE_S || playhead > end - (index < ranges.length - 1 ? GAP_NEAR_S : 0),
  );
}

/** With hysteresis: having begun to hurry, it hurries until the target is reached. */
function rateFor(pace: Pace): number {
  const over = slackOf(pace) - pace.target;
  if (over > MUCH_FASTER_OVER_S) return 1.2;
  if (over > FASTER_OVER_S || (pace.rate > 1 && over > 0)) return 1.1;
  return 1;
}
