/** A film on a `<video>`: the element, the engines and the server, as `Playback` asks for them. */
import { encodePath, withQuery } from "../shared/address.ts";
import { lookUpFilm, type Film } from "../shared/api.ts";
import { isTypeSupported } from "../shared/player/element.ts";
import { FileEngine, type Engine, type EngineEvents } from "./engine.ts";
import { FlvEngine } from "./flv.ts";
import { HlsEngine } from "./hls.ts";
import { Playback, type FilmView, type Reading, type Stage } from "./playback.ts";
import { selectSources, type Source } from "./sources.ts";

const LOOK_EVERY_MS = 1000;

/** `query` (with its `?`, or empty) is handed on to the server with every request; `at` is in seconds. */
export function playFilm(video: HTMLVideoElement, film: Film, query: string, at: number, onView: (view: FilmView) => void): Playback {
  const selection = selectSources(film, { canPlayType: (type) => video.canPlayType(type) !== "", isTypeSupported });
  const stage = new ElementStage(video, film, query);
  const playback = new Playback(stage, film, selection, at, onView);
  stage.tellTo(playback);
  playback.start();
  return playback;
}

class ElementStage implements Stage {
  readonly #video: HTMLVideoElement;
  readonly #film: Film;
  readonly #query: string;
  readonly #closing = new AbortController();
  #playback: Playback | null = null;
  #engine: Engine | null = null;

  constructor(video: HTMLVideoElement, film: Film, query: string) {
    this.#video = video;
    this.#film = film;
    this.#query = query;
  }

  tellTo(playback: Playback): void {
    this.#playback = playback;
    const { signal } = this.#closing;
    const on = (events: string[], heard: () => void) => events.forEach((event) => this.#video.addEventListener(event, heard, { signal }));
    on(["loadedmetadata", "durationchange"], () => playback.measured());
    on(["timeupdate", "progress", "waiting", "playing", "canplay", "seeking", "play", "ratechange", "ended"], () => playback.changed());
    on(["seeked"], () => playback.seeked());
    on(["play"], () => playback.resumed());
    on(["pause"], () => playback.paused());
    const look = setInterval(() => playback.look(performance.now(), document.hidden), LOOK_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(look));
  }

  open(source: Source, at: number, attempt: number): void {
    void this.#open(source, at, attempt);
  }

  async #open(source: Source, at: number, attempt: number): Promise<void> {
    const events: EngineEvents = {
      onchange: () => this.#playback?.isCurrent(attempt) && this.#playback.changed(),
      // Never from within the engine's own event: what is done about it may close the engine.
      onerror: ({ kind }) => setTimeout(() => this.#playback?.failed(attempt, kind)),
    };
    try {
      const engine = await this.#engineFor(source, at, events);
      if (!this.#playback?.isCurrent(attempt)) return engine.close();
      this.#engine = engine;
    } catch {
      // A part of the page did not load.
      return this.#playback?.failed(attempt, "network");
    }
    this.#playback.opened(attempt);
  }

  #engineFor(source: Source, at: number, events: EngineEvents): Engine | Promise<Engine> {
    const [video, query] = [this.#video, this.#query];
    if (source.kind === "file") return new FileEngine(video, withQuery(source.url, query), at, events);
    const url = new URL(source.url, window.location.href).href;
    if (source.kind === "hls") return HlsEngine.open(video, withQuery(url, query), query, at, events);
    return FlvEngine.open(video, { ...source, url, query, duration: this.#playback?.view.duration ?? 0 }, at, events);
  }

  closeEngine(): void {
    this.#engine?.close();
    this.#engine = null;
  }

  close(): void {
    this.#closing.abort();
    this.closeEngine();
  }

  /** A browser that wants a hand first gets one: the page shows its large button. Nothing plays muted unasked. */
  play(): void {
    this.#video.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#playback?.playRefused();
    });
  }

  pause(): void {
    this.#video.pause();
  }

  seek(to: number): void {
    this.#engine?.seek(to);
  }

  setRate(rate: number): void {
    this.#video.defaultPlaybackRate = rate;
    this.#video.playbackRate = rate;
  }

  setAudioTrack(index: number): void {
    if (this.#engine) this.#engine.audioTrack = index;
  }

  setQuality(index: number): void {
    if (this.#engine) this.#engine.quality = index;
  }

  lookUp(attempt: number): void {
    void lookUpFilm(encodePath(this.#film), this.#query).then((answer) => this.#playback?.answered(attempt, answer));
  }

  read(): Reading {
    const { readyState, paused, ended, playbackRate, currentTime, duration, buffered } = this.#video;
    const { offset = 0, audioTracks = [], audioTrack = 0, qualities = [], quality = -1 } = this.#engine ?? {};
    return {
      ...{ readyState, paused, ended, playbackRate, currentTime, duration, offset, audioTracks, audioTrack, qualities, quality },
      buffered: Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]),
    };
  }
}
