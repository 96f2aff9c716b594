/**
 * What carries a film into a `<video>`: one interface, and the one engine that needs no library. An engine plays
 * one source, from one place on, until it is closed or has failed; which source, and what comes after, `playback.ts`
 * decides.
 */
import { t } from "../shared/language.ts";

/** Why an engine gave up. `network`: another try may do; `media`: another source may. */
export type EngineError = { kind: "network" | "media"; detail: string };

export interface Engine {
  /** Seconds of the film at `currentTime` 0 of the element. */
  readonly offset: number;
  /** Makes a place playable that the element has not got; `currentTime` is set already where the engine seeks by it. */
  seek(to: number): void;
  /** Sound tracks to choose from, by name; empty where there is no choice. */
  readonly audioTracks: string[];
  audioTrack: number;
  /** Qualities to choose from, best first; empty where there is no choice. */
  readonly qualities: string[];
  /** The chosen one; −1 lets the network decide. */
  quality: number;
  close(): void;
}

export interface EngineEvents {
  /** The choices have become known or have changed. */
  onchange(): void;
  onerror(error: EngineError): void;
}

/** What browsers have only in part: the sound tracks of an element. */
interface AudioTrackList {
  length: number;
  [index: number]: { enabled: boolean; label: string; language: string };
}

export class FileEngine implements Engine {
  readonly offset = 0;
  readonly qualities: string[] = [];
  readonly quality = -1;
  readonly #video: HTMLVideoElement;
  readonly #closing = new AbortController();

  constructor(video: HTMLVideoElement, url: string, at: number, events: EngineEvents) {
    this.#video = video;
    const { signal } = this.#closing;
    video.addEventListener("loadedmetadata", () => events.onchange(), { signal });
    video.addEventListener(
      "error",
      () => {
        const { code = 0, message = "" } = video.error ?? {};
        events.onerror({ kind: code === MediaError.MEDIA_ERR_NETWORK ? "network" : "media", detail: message });
      },
      { signal },
    );
    video.src = url;
    // Before the length is known this is where the browser begins, with one request instead of two.
    if (at > 0) video.currentTime = at;
  }

  seek(to: number): void {
    this.#video.currentTime = to;
  }

  get audioTracks(): string[] {
    const tracks = this.#tracks;
    return tracks.length > 1 ? tracks.map(({ label, language }, index) => label || language || t(`Track ${index + 1}`, `音轨 ${index + 1}`)) : [];
  }

  get audioTrack(): number {
    return Math.max(0, this.#tracks.findIndex((track) => track.enabled));
  }

  set audioTrack(index: number) {
    this.#tracks.forEach((track, place) => (track.enabled = place === index));
  }

  get #tracks() {
    return Array.from((this.#video as { audioTracks?: AudioTrackList }).audioTracks ?? []);
  }

  close(): void {
    this.#closing.abort();
    this.#video.removeAttribute("src");
    this.#video.load();
  }
}
