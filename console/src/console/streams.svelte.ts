/**
 * What the console knows of the server, kept fresh: asked once a second while the page is looked at, not at all
 * while it is hidden, more rarely while the server does not answer.
 */
import { fetchInfo, fetchRecordings, fetchStreams, HttpError, type Growing, type ServerInfo, type Stream } from "../shared/api.ts";
import { t } from "../shared/language.ts";

const POLL_MS = 1000;
const POLL_MAX_MS = 8000;
const HISTORY_SAMPLES = 60;

export class Streams {
  list = $state.raw<Stream[] | null>(null);
  info = $state.raw<ServerInfo | null>(null);
  /** The recordings that grow, by the paths of their streams. */
  recordings = $state.raw<ReadonlyMap<string, Growing>>(new Map());
  /** Why there is nothing new to show; empty while all is well. */
  error = $state("");
  /** The error is that the admin token is missing. */
  unauthorized = $state(false);
  /** Bitrate of each stream over the last minute, oldest first. */
  history = $state.raw<ReadonlyMap<string, readonly number[]>>(new Map());

  #timer: ReturnType<typeof setTimeout> | undefined;
  #polling = false;
  #wait = POLL_MS;

  /** Starts asking; returns how to stop. */
  start(): () => void {
    const look = () => {
      clearTimeout(this.#timer);
      if (!document.hidden) void this.#poll();
    };
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      clearTimeout(this.#timer);
      document.removeEventListener("visibilitychange", look);
    };
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      this.info ??= await fetchInfo();
      const streams = await fetchStreams();
      const growing = streams.some(isRecordable) ? await fetchRecordings() : [];
      this.recordings = new Map(growing.map((one) => [one.stream, one]));
      this.#take(streams);
      this.error = "";
      this.unauthorized = false;
      this.#wait = POLL_MS;
    } catch (error) {
      this.error = error instanceof HttpError ? error.message : t("The server does not answer. Trying again…", "服务器没有响应，正在重试…");
      this.unauthorized = error instanceof HttpError && error.status === 401;
      this.#wait = Math.min(POLL_MAX_MS, this.#wait * 1.6);
      this.info = null;
    } finally {
      this.#polling = false;
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => void this.#poll(), this.#wait);
  }

  #take(streams: Stream[]): void {
    const history = new Map<string, readonly number[]>();
    for (const stream of streams) {
      const past = this.history.get(keyOf(stream)) ?? [];
      history.set(keyOf(stream), [...past, stream.bitrate_bps].slice(-HISTORY_SAMPLES));
    }
    this.history = history;
    this.list = [...streams].sort(liveFirst);
  }
}

/** Whether its app's policy allows it to be recorded. */
export function isRecordable({ record }: Stream): boolean {
  return record === "on-demand" || record === "always";
}

/** One key for one stream, whatever slashes its parts hold. */
export function keyOf(stream: Stream): string {
  return JSON.stringify([stream.app, stream.name]);
}

function liveFirst(a: Stream, b: Stream): number {
  if (a.state !== b.state) return a.state === "live" ? -1 : 1;
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
