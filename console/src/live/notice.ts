/** What the live page says while there is no picture. Pure. */
import type { LivePhase } from "./player.ts";

/**
 * `seen`: a picture was shown before. `interrupted`: the publisher went away a moment ago, and the server keeps its
 * place. `null`: the notice has words of its own.
 */
export function noticeWords(phase: LivePhase, seen: boolean, interrupted: boolean): { title: string; detail: string } | null {
  if (phase === "away") return { title: "The server does not answer", detail: "Trying again until it does." };
  if (phase === "restarting") return { title: "The picture stood still", detail: "It begins anew." };
  if (phase !== "waiting") return null;
  if (seen && interrupted) return { title: "The stream is interrupted", detail: "It goes on here when the publisher is back." };
  return seen
    ? { title: "The stream has ended", detail: "Should it come back, it goes on here by itself." }
    : { title: "Waiting for the stream…", detail: "It starts here by itself as soon as it is live." };
}
