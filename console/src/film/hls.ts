/** The engine for HLS that the server makes of a film on the fly: hls.js on a `<video>`. */
import type HlsClass from "hls.js";
import type { HlsConfig } from "hls.js";
import { withQuery } from "../shared/address.ts";
import { language } from "../shared/format.ts";
import type { Engine, EngineEvents } from "./engine.ts";
import { t } from "../shared/language.ts";

const BUFFER_AHEAD_S = 30;
const BUFFER_BEHIND_S = 60;
/** A decoder that stumbles is set up anew; after so many times it is not an accident. */
const RECOVERIES_MAX = 3;
/** The page shows subtitles itself, as tracks of the element: hls.js is not to fetch them a second time. */
const WITHOUT_SUBTITLES = {
  subtitleStreamController: undefined,
  subtitleTrackController: undefined,
  timelineController: undefined,
} as unknown as Partial<HlsConfig>;

export class HlsEngine implements Engine {
  readonly offset = 0;
  readonly #video: HTMLVideoElement;
  readonly #hls: HlsClass;
  #recoveries = 0;

  /** The whole of hls.js: its lighter build leaves out sound that is a rendition of its own, as the server makes it of every film. */
  static async open(video: HTMLVideoElement, url: string, query: string, at: number, events: EngineEvents): Promise<HlsEngine> {
    const { default: Hls } = await import("hls.js");
    return new HlsEngine(Hls, video, url, query, at, events);
  }

  private constructor(Hls: typeof HlsClass, video: HTMLVideoElement, url: string, query: string, at: number, events: EngineEvents) {
    this.#video = video;
    const hls = new Hls({
      ...WITHOUT_SUBTITLES,
      // The policy of the page allows no script from a blob, and the film comes as MP4: there is nothing to convert.
      enableWorker: false,
      startPosition: at,
      maxBufferLength: BUFFER_AHEAD_S,
      backBufferLength: BUFFER_BEHIND_S,
      capLevelToPlayerSize: true,
      xhrSetup: (request, asked) => request.open("GET", withQuery(asked, query), true),
    });
    this.#hls = hls;
    const { Events, ErrorTypes } = Hls;
    for (const event of [Events.MANIFEST_PARSED, Events.AUDIO_TRACKS_UPDATED, Events.AUDIO_TRACK_SWITCHED]) hls.on(event, () => events.onchange());
    hls.on(Events.ERROR, (_event, error) => {
      const silent = error.type === ErrorTypes.NETWORK_ERROR && (error.response?.code ?? 0) === 0;
      // hls.js would try for half a minute before it says more; a viewer with a still picture is told sooner.
      const starved = silent && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
      if (!error.fatal && !starved) return;
      if (silent) return events.onerror({ kind: "network", detail: error.details });
      if (error.type !== ErrorTypes.MEDIA_ERROR || this.#recoveries++ >= RECOVERIES_MAX || error.details === "manifestIncompatibleCodecsError") {
        return events.onerror({ kind: "media", detail: error.details });
      }
      hls.recoverMediaError();
    });
    hls.attachMedia(video);
    hls.loadSource(url);
  }

  seek(to: number): void {
    this.#video.currentTime = to;
  }

  get audioTracks(): string[] {
    const tracks = this.#hls.audioTracks ?? [];
    return tracks.length > 1 ? tracks.map(({ name, lang }, index) => name || language(lang) || t(`Track ${index + 1}`, `音轨 ${index + 1}`)) : [];
  }

  get audioTrack(): number {
    return Math.max(0, this.#hls.audioTrack);
  }

  set audioTrack(index: number) {
    this.#hls.audioTrack = index;
  }

  get qualities(): string[] {
    const levels = this.#hls.levels;
    return levels.length > 1 ? levels.map(({ height, bitrate }) => (height ? `${height}p` : `${Math.round(bitrate / 1000)} kbit/s`)).reverse() : [];
  }

  get quality(): number {
    return this.#hls.autoLevelEnabled ? -1 : this.#hls.levels.length - 1 - this.#hls.currentLevel;
  }

  set quality(place: number) {
    this.#hls.nextLevel = place < 0 ? -1 : this.#hls.levels.length - 1 - place;
  }

  close(): void {
    this.#hls.destroy();
    this.#video.removeAttribute("src");
    this.#video.load();
  }
}
