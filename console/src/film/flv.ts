/**
 * The engine for FLV: mpegts.js on a `<video>`. It can't ask for a place in the middle, the server can give one:
 * a seek outside of what has arrived begins a new stream there (`?start=`), at the keyframe before.
 */
import type Mpegts from "mpegts.js";
import { withQuery } from "../shared/address.ts";
import type { Engine, EngineEvents } from "./engine.ts";

export interface FlvOptions {
  url: string;
  query: string;
  video: boolean;
  audio: boolean;
  /** Seconds, of the whole film. */
  duration: number;
}

export class FlvEngine implements Engine {
  offset = 0;
  readonly audioTracks: string[] = [];
  readonly audioTrack = 0;
  readonly qualities: string[] = [];
  readonly quality = -1;
  readonly #mpegts: typeof Mpegts;
  readonly #video: HTMLVideoElement;
  readonly #options: FlvOptions;
  readonly #events: EngineEvents;
  #player: Mpegts.Player | null = null;

  static async open(video: HTMLVideoElement, options: FlvOptions, at: number, events: EngineEvents): Promise<FlvEngine> {
    const { default: mpegts } = await import("../shared/player/mpegts.ts");
    mpegts.LoggingControl.enableAll = false;
    return new FlvEngine(mpegts, video, options, at, events);
  }

  private constructor(mpegts: typeof Mpegts, video: HTMLVideoElement, options: FlvOptions, at: number, events: EngineEvents) {
    this.#mpegts = mpegts;
    this.#video = video;
    this.#options = options;
    this.#events = events;
    this.#begin(at);
  }

  seek(to: number): void {
    const place = to - this.offset;
    const { buffered } = this.#video;
    const there = Array.from({ length: buffered.length }, (_, i) => i).some((i) => buffered.start(i) <= place && place < buffered.end(i));
    if (there) this.#video.currentTime = place;
    else this.#begin(to);
  }

  #begin(at: number): void {
    const playing = !this.#video.paused;
    this.#player?.destroy();
    const { url, query, video, audio, duration } = this.#options;
    const from = at > 0 ? withQuery(withQuery(url, `?start=${at.toFixed(3)}`), query) : withQuery(url, query);
    const player = this.#mpegts.createPlayer(
      { type: "flv", isLive: false, url: from, hasVideo: video, hasAudio: audio },
      { lazyLoadMaxDuration: 60, autoCleanupSourceBuffer: true, accurateSeek: true },
    );
    this.#player = player;
    this.offset = at;
    const { Events, ErrorTypes } = this.#mpegts;
    // What is left of the film tells where it really begins: at the keyframe before the place asked for.
    player.on(Events.MEDIA_INFO, ({ duration: left }: { duration?: number }) => {
      if (player !== this.#player || !left || at === 0) return;
      const begins = duration - left / 1000;
      if (begins < 0 || begins > at) return;
      this.offset = begins;
      this.#video.currentTime = at - begins;
    });
    player.on(Events.ERROR, (kind: string, detail: string) => {
      if (player === this.#player) this.#events.onerror({ kind: kind === ErrorTypes.NETWORK_ERROR ? "network" : "media", detail });
    });
    player.attachMediaElement(this.#video);
    player.load();
    if (playing) void this.#video.play().catch(() => {});
    this.#events.onchange();
  }

  close(): void {
    const player = this.#player;
    this.#player = null;
    // Not from within the player's own event: it would fall over its missing parts.
    setTimeout(() => player?.destroy());
  }
}
