/**
 * What of a live stream can be gone back to, and where in it a viewer is. Pure; seconds behind the broadcast's begin, and
 * seconds of the caller's clock.
 */
import type { Stream } from "../shared/api.ts";
import { duration } from "../shared/format.ts";
import { t } from "../shared/language.ts";

export interface Kept {
  from: number;
  /** Now, when the server was asked. */
  to: number;
  askedAt: number;
  /** It grows while the publisher is there. */
  grows: boolean;
}

/** Where the viewer is, for who draws it. */
export interface LivePlace {
  from: number;
  to: number;
  time: number;
  /** It follows the head. */
  atHead: boolean;
}

/** Less than this is no way back. */
const WORTHWHILE_S = 4;
/** Who goes to a place this near to the head wants to be there. */
export const HEAD_S = 2;

/** `null`: nothing is kept. */
export function keptOf(stream: Stream | null, now: number): Kept | null {
  const window = stream?.window;
  if (!stream || !window) return null;
  return { from: window.from_ms / 1000, to: window.to_ms / 1000, askedAt: now, grows: stream.state === "live" };
}

/** The head, by now. */
export function headOf(kept: Kept, now: number): number {
  return kept.grows ? kept.to + Math.max(0, now - kept.askedAt) : kept.to;
}

/** The place that a player is at: known by its offset, or by how much of what has come is still to be shown. */
export function placeOf(kept: Kept, now: number, playing: { offset: number | null; playhead: number; latency: number; atHead: boolean }): LivePlace | null {
  const to = headOf(kept, now);
  if (to - kept.from < WORTHWHILE_S) return null;
  const time = playing.offset === null ? to - playing.latency : playing.offset + playing.playhead;
  return { from: kept.from, to, time: Math.min(to, Math.max(kept.from, time)), atHead: playing.atHead };
}

/** `23 s behind`; what is at the head is `Live`. */
export function behindInWords({ to, time, atHead }: LivePlace): string {
  if (atHead) return t("Live", "直播中");
  const behind = duration(Math.max(1, Math.round(to - time)) * 1000);
  return t(`${behind} behind`, `落后 ${behind}`);
}
