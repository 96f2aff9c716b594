/**
 * The player of one film, without a face: tries the ways that `ways.ts` found, one after the other, holds on to the
 * place through lost networks and changed ways, and tells all that the page draws in one `FilmView`. Times are
 * seconds of the film, whatever the element counts.
 *
 *     look up → judge → engine → (media trouble: next way) (network trouble: wait for the server, same way) …
 */
import { lookUpFilm, type Film } from "../shared/api.ts";
import { encodePath } from "../shared/address.ts";
import { NO_SUCH_FILM, type Failure } from "../watch/support.ts";
import { FileEngine, type Calls, type Engine, type Trouble } from "./engine.ts";
import { FlvEngine } from "./flv.ts";
import { HlsEngine } from "./hls.ts";
import { withQuery } from "./moment.ts";
import { BROKE_OFF, judgeFilm, MAY_NOT, SERVER_AWAY, type Abilities, type Way } from "./ways.ts";

export type FilmPhase = "opening" | "ready" | "playing" | "paused" | "buffering" | "ended" | "away" | "failed";

export interface FilmView {
  phase: FilmPhase;
  failure: Failure | null;
  missing: string;
  soundOnly: boolean;
  way: Way["kind"] | null;
  duration: number;
  time: number;
  buffered: Array<[number, number]>;
  rate: number;
  sounds: string[];
  sound: number;
  qualities: string[];
  quality: number;
}

const AWAY_MS = { first: 500, most: 5000, growth: 1.6 } as const;
/** A film counts as badly understood when the browser finds this much less of it than the server. */
const SHORT_S = 3;
const SHORT_SHARE = 0.1;
/** The very end shows no picture: a seek stops this far before it. */
const BEFORE_END_S = 0.05;

export class FilmPlayer {
  view: FilmView;

  readonly #video: HTMLVideoElement;
  readonly #film: Film;
  readonly #query: string;
  readonly #onView: (view: FilmView) => void;
  readonly #closing = new AbortController();
  #ways: Way[] = [];
  #engine: Engine | null = null;
  /** Counts openings: what an engine says after the next one was opened is not heard. */
  #turn = 0;
  #wantsToPlay = true;
  #started = false;
  /** Where the next engine is to begin, and where a seek is on its way to. */
  #place: number;
  #seeking = false;
  #retries = 0;

  constructor(video: HTMLVideoElement, film: Film, query: string, at: number, onView: (view: FilmView) => void) {
    this.#video = video;
    this.#film = film;
    this.#query = query;
    this.#onView = onView;
    const duration = film.duration ?? 0;
    this.#place = Math.min(at, Math.max(0, duration - BEFORE_END_S));
    this.view = {
      ...{ phase: "opening", failure: null, missing: "", soundOnly: false, way: null, duration, time: this.#place, buffered: [], rate: 1 },
      ...{ sounds: [], sound: 0, qualities: [], quality: -1 },
    };
    const verdict = judgeFilm(film, abilities(video));
    if (verdict.kind === "refuse") {
      this.#tell({ phase: "failed", failure: verdict.failure });
      return;
    }
    this.#ways = verdict.ways;
    this.#listen();
    this.#tell({ missing: verdict.missing, soundOnly: verdict.soundOnly });
    void this.#open();
  }

  close(): void {
    this.#closing.abort();
    this.#turn++;
    this.#engine?.close();
  }

  get wantsToPlay(): boolean {
    return this.#wantsToPlay;
  }

  toggle(): void {
    if (this.view.phase === "failed") return this.retry();
    if (this.view.phase === "ended") {
      this.#wantsToPlay = true;
      this.seek(0);
      return void this.#play();
    }
    this.#wantsToPlay = this.#video.paused;
    if (this.#wantsToPlay) void this.#play();
    else this.#video.pause();
  }

  play(): void {
    if (this.#video.paused) this.toggle();
  }

  seek(to: number): void {
    const place = Math.max(0, Math.min(to, this.view.duration - BEFORE_END_S));
    this.#place = place;
    this.#seeking = true;
    this.#engine?.seek(place);
    this.#tell({ time: place });
  }

  setRate(rate: number): void {
    this.#video.defaultPlaybackRate = rate;
    this.#video.playbackRate = rate;
    this.#tell({ rate });
  }

  setSound(index: number): void {
    if (this.#engine) this.#engine.sound = index;
    this.#look();
  }

  setQuality(index: number): void {
    if (this.#engine) this.#engine.quality = index;
    this.#look();
  }

  /** After everything has failed: all over again, from the same place. */
  retry(): void {
    const verdict = judgeFilm(this.#film, abilities(this.#video));
    if (verdict.kind === "refuse") return;
    this.#ways = verdict.ways;
    this.#wantsToPlay = true;
    void this.#open();
  }

  async #open(): Promise<void> {
    const way = this.#ways[0];
    const turn = ++this.#turn;
    this.#engine?.close();
    this.#engine = null;
    if (!way) return this.#tell({ phase: "failed", failure: BROKE_OFF });
    this.#tell({ phase: this.#started ? "buffering" : "opening", failure: null, way: way.kind });
    const calls: Calls = {
      onchange: () => turn === this.#turn && this.#look(),
      // Never from within the engine's own event: what is done about it may close the engine.
      ontrouble: (trouble) => setTimeout(() => turn === this.#turn && void this.#mend(trouble)),
    };
    try {
      const engine = await this.#engineFor(way, calls);
      if (turn !== this.#turn) return engine.close();
      this.#engine = engine;
    } catch {
      if (turn === this.#turn) await this.#mend({ kind: "network", detail: "a part of the page did not load" });
      return;
    }
    this.setRate(this.view.rate);
    if (this.#wantsToPlay) void this.#play();
  }

  #engineFor(way: Way, calls: Calls): Engine | Promise<Engine> {
    const [video, query, at] = [this.#video, this.#query, this.#place];
    if (way.kind === "file") return new FileEngine(video, withQuery(way.url, query), at, calls);
    const url = new URL(way.url, window.location.href).href;
    if (way.kind === "hls") return HlsEngine.open(video, withQuery(url, query), query, way.several, at, calls);
    return FlvEngine.open(video, { ...way, url, query, duration: this.view.duration }, at, calls);
  }

  /** A lost network is waited for; a film that the browser stumbles over is tried in the next way. */
  async #mend({ kind }: Trouble): Promise<void> {
    const turn = ++this.#turn;
    if (kind === "media" && this.#ways.length > 1 && this.#retries === 0) {
      this.#ways = this.#ways.slice(1);
      return this.#open();
    }
    for (let times = 0; turn === this.#turn && !this.#closing.signal.aborted; times++) {
      const answer = await lookUpFilm(encodePath(this.#film), this.#query);
      if (turn !== this.#turn) return;
      if (answer.kind === "absent") return this.#fail(NO_SUCH_FILM);
      if (answer.kind === "refused") return this.#fail(answer.status === 401 || answer.status === 403 ? MAY_NOT : BROKE_OFF);
      if (answer.kind === "found") break;
      this.#tell({ phase: "away", failure: SERVER_AWAY });
      await pause(Math.min(AWAY_MS.most, AWAY_MS.first * AWAY_MS.growth ** times));
    }
    if (turn !== this.#turn) return;
    // The server is well and the film is there: once more in the same way, then it is the way.
    if (this.#retries++ > 0) {
      this.#retries = 0;
      this.#ways = this.#ways.slice(1);
    }
    return this.#open();
  }

  #fail(failure: Failure): void {
    this.#engine?.close();
    this.#engine = null;
    this.#tell({ phase: "failed", failure });
  }

  #listen(): void {
    const { signal } = this.#closing;
    const on = (events: string[], heard: () => void) => events.forEach((event) => this.#video.addEventListener(event, heard, { signal }));
    on(["loadedmetadata", "durationchange"], () => this.#measure());
    on(["timeupdate", "progress", "waiting", "playing", "canplay", "seeking", "pause", "play", "ratechange", "ended"], () => this.#look());
    on(["seeked"], () => {
      this.#seeking = false;
      this.#look();
    });
    // Also the browser pauses (media keys, the picture-in-picture window).
    on(["play"], () => (this.#wantsToPlay = true));
    on(["pause"], () => {
      if (this.#engine && !this.#video.ended && this.#video.readyState > 0) this.#wantsToPlay = false;
    });
  }

  /** The browser may find less in a file than the server did: a fragmented file without an index, for one. */
  #measure(): void {
    const found = this.#video.duration;
    const [way, next] = this.#ways;
    const told = this.#film.duration ?? 0;
    const short = !(found >= told - Math.max(SHORT_S, told * SHORT_SHARE)) || found === Infinity;
    if (way?.kind === "file" && next && short && this.#video.readyState > 0) {
      this.#ways = this.#ways.slice(1);
      void this.#open();
    }
  }

  #look(): void {
    const { view } = this;
    const engine = this.#engine;
    if (!engine || view.phase === "failed" || view.phase === "away") return;
    const video = this.#video;
    const flowing = video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    if (!this.#seeking && video.readyState > 0) this.#place = video.currentTime + engine.offset;
    if (flowing && !video.paused) {
      this.#started = true;
      if (video.currentTime > 0) this.#retries = 0;
    }
    const length = video.duration + engine.offset;
    this.#tell({
      phase: this.#phase(flowing),
      time: this.#place,
      duration: Number.isFinite(length) && engine.offset === 0 ? length : view.duration,
      buffered: Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i) + engine.offset, video.buffered.end(i) + engine.offset]),
      rate: video.playbackRate,
      ...{ sounds: engine.sounds, sound: engine.sound, qualities: engine.qualities, quality: engine.quality },
    });
  }

  #phase(flowing: boolean): FilmPhase {
    const video = this.#video;
    if (video.ended) return "ended";
    if (video.paused && video.readyState >= HTMLMediaElement.HAVE_METADATA && !this.#wantsToPlay) return this.#started ? "paused" : "ready";
    if (flowing && !video.paused) return "playing";
    return this.#started ? "buffering" : "opening";
  }

  /** A browser that wants a hand first gets one: the page shows its large button. Nothing plays muted unasked. */
  async #play(): Promise<void> {
    try {
      await this.#video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.#wantsToPlay = false;
      this.#look();
    }
  }

  #tell(news: Partial<FilmView>): void {
    if (this.#closing.signal.aborted) return;
    this.view = { ...this.view, ...news };
    this.#onView(this.view);
  }
}

function abilities(video: HTMLVideoElement): Abilities {
  const source = window.MediaSource ?? (window as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource;
  return { plays: (type) => video.canPlayType(type) !== "", feeds: (type) => source?.isTypeSupported(type) ?? false };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
