/**
 * What the console knows of the server, kept fresh: asked once a second while the page is looked at, not at all
 * while it is hidden, more rarely while the server does not answer.
 */
import { fetchInfo, fetchStreams, Refused, type ServerInfo, type Stream } from "../shared/api.ts";

const EVERY_MS = 1000;
const SLOWEST_MS = 8000;
const MEMORY = 60;

export class Streams {
  list = $state.raw<Stream[] | null>(null);
  info = $state.raw<ServerInfo | null>(null);
  /** Why there is nothing new to show; empty while all is well. */
  trouble = $state("");
  /** The trouble is that the admin token is missing. */
  locked = $state(false);
  /** Bitrate of each stream over the last minute, oldest first. */
  history = $state.raw<ReadonlyMap<string, readonly number[]>>(new Map());

  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #wait = EVERY_MS;

  /** Starts asking; returns how to stop. */
  start(): () => void {
    const look = () => {
      clearTimeout(this.#timer);
      if (!document.hidden) void this.#ask();
    };
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      clearTimeout(this.#timer);
      document.removeEventListener("visibilitychange", look);
    };
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.info ??= await fetchInfo();
      this.#take(await fetchStreams());
      this.trouble = "";
      this.locked = false;
      this.#wait = EVERY_MS;
    } catch (error) {
      this.trouble = error instanceof Refused ? error.message : "The server does not answer. Trying again…";
      this.locked = error instanceof Refused && error.status === 401;
      this.#wait = Math.min(SLOWEST_MS, this.#wait * 1.6);
      this.info = null;
    } finally {
      this.#asking = false;
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => void this.#ask(), this.#wait);
  }

  #take(streams: Stream[]): void {
    const history = new Map<string, readonly number[]>();
    for (const stream of streams) {
      const past = this.history.get(keyOf(stream)) ?? [];
      history.set(keyOf(stream), [...past, stream.bitrate_bps].slice(-MEMORY));
    }
    this.history = history;
    this.list = [...streams].sort(liveFirst);
  }
}

/** One key for one stream, whatever slashes its parts hold. */
export function keyOf(stream: Stream): string {
  return JSON.stringify([stream.app, stream.name]);
}

function liveFirst(a: Stream, b: Stream): number {
  if (a.state !== b.state) return a.state === "live" ? -1 : 1;
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
