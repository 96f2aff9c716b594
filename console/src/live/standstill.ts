/**
 * Whether a player that should run stands still though it has what it needs, and what is done about it. A pure policy,
 * as `catch-up.ts`.
 *
 * A browser's decoder may stop for good where the picture changes its size (a phone that is turned), at a damaged frame
 * or at a seek; the element says nothing of it, and goes on buffering. Going to another place most often helps: it
 * empties the decoder. If not, only a new player does. A player that has run dry is another matter: it waits for media.
 */

export interface Standstill {
  playhead: number;
  /** Since when it has stood, on the caller's clock. */
  since: number;
  /** Whether it has been moved since then. */
  moved: boolean;
}

export interface Glance {
  /** Seconds of a clock that only goes forward. */
  now: number;
  playhead: number;
  /** What is buffered beyond the playhead, in seconds. */
  ahead: number;
  /** It is to stand: paused, or in a page that nobody sees. */
  rests: boolean;
}

export type Remedy = "none" | "move" | "begin anew";

/** With less than this ahead, it may be waiting for media. */
const AHEAD_S = 0.5;
/** A stand that a viewer notices; the page says that it waits. */
export const NOTICED_AFTER_S = 1;
export const MOVE_AFTER_S = 1.5;
export const BEGIN_ANEW_AFTER_S = 4;

export function initialStandstill(now: number): Standstill {
  return { playhead: 0, since: now, moved: false };
}

export function standstill(before: Standstill, { now, playhead, ahead, rests }: Glance): { state: Standstill; remedy: Remedy } {
  const stands = Math.abs(playhead - before.playhead) < 0.001;
  if (!stands || rests || ahead < AHEAD_S) return { state: { playhead, since: now, moved: false }, remedy: "none" };
  const stood = now - before.since;
  if (stood >= BEGIN_ANEW_AFTER_S) return { state: before, remedy: "begin anew" };
  if (stood >= MOVE_AFTER_S && !before.moved) return { state: { ...before, moved: true }, remedy: "move" };
  return { state: before, remedy: "none" };
}

/** It was moved to `playhead`: that is not yet running. */
export function movedTo(state: Standstill, playhead: number): Standstill {
  return { ...state, playhead };
}

/** The pictures of a player whose sound runs: they may stand while it does. */
export interface Pictures {
  /** How many were shown. */
  shown: number;
  /** Since when there was no new one, on the caller's clock. */
  since: number;
  /** The longest that there was none before one came, in seconds: some streams have one in ten seconds. */
  longest: number;
}

/** A picture stands for this long at least, and for three times as long as any did before, until something is done. */
export const FROZEN_AFTER_S = 6;
const FROZEN_FACTOR = 3;

export function initialPictures(now: number): Pictures {
  return { shown: 0, since: now, longest: 0 };
}

/** Whether the picture stands though there were some, and time runs. Without any it is a stream of sound, or too early. */
export function frozen(before: Pictures, { now, shown, runs }: { now: number; shown: number; runs: boolean }): { state: Pictures; isFrozen: boolean } {
  if (!runs) return { state: { ...before, shown, since: now }, isFrozen: false };
  const stood = now - before.since;
  if (shown !== before.shown) return { state: { shown, since: now, longest: before.shown > 0 ? Math.max(before.longest, stood) : 0 }, isFrozen: false };
  return { state: before, isFrozen: shown > 0 && stood > Math.max(FROZEN_AFTER_S, before.longest * FROZEN_FACTOR) };
}
