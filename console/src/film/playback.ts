/**
 * The state machine of playing one film, without a browser: tries the sources that `sources.ts` found, one after the
 * other, holds on to the place through lost networks and changed sources, and tells all that the page draws in one
 * `FilmView`. What it asks for goes to a `Stage`, what becomes of it comes back by the methods named after what
 * happened. Times are seconds of the film, whatever the element counts.
 *
 *     opening ── playing, or ready where the browser wants a hand first
 *        │          ├── paused, buffering, ended, and back
 *        │          ├── media error: the next source
 *        │          └── network error: the server is asked ── found: the same source once more, then the next
 *        │                                               ├── silent: away, and asked again
 *        └── no source left                              └── absent, refused: failed
 */
import type { Film, FilmLookup } from "../shared/api.ts";
import { NO_SUCH_FILM, type Failure } from "../shared/player/failure.ts";
import type { EngineError } from "./engine.ts";
import { FILM_NOT_ALLOWED, NO_SOURCE_LEFT, SERVER_SILENT, type Selection, type Source } from "./sources.ts";

/** `away`: the server does not answer. `ready`: it plays when somebody asks for it. */
export type FilmPhase = "opening" | "ready" | "playing" | "paused" | "buffering" | "ended" | "away" | "failed";

export interface FilmView {
  phase: FilmPhase;
  failure: Failure | null;
  missing: string;
  soundOnly: boolean;
  /** It waits for more of the film for so long that a viewer asks why. */
  stands: boolean;
  source: Source["kind"] | null;
  duration: number;
  time: number;
  buffered: Array<[number, number]>;
  rate: number;
  audioTracks: string[];
  audioTrack: number;
  qualities: string[];
  quality: number;
}

/** What the element and the engine on it say at one moment. The names are those of `HTMLMediaElement`. */
export interface Reading extends Pick<FilmView, "audioTracks" | "audioTrack" | "qualities" | "quality"> {
  readyState: number;
  paused: boolean;
  ended: boolean;
  playbackRate: number;
  /** Seconds of the element; `offset` seconds of the film are before them. */
  currentTime: number;
  duration: number;
  buffered: Array<[number, number]>;
  offset: number;
}

/** What a film is played on. `attempt` says which opening an answer belongs to: late answers are not heard. */
export interface Stage {
  /** Puts an engine for this source on the element; then `opened`, or `failed`, then or later. */
  open(source: Source, at: number, attempt: number): void;
  closeEngine(): void;
  /** The page is done with the film. */
  close(): void;
  /** The browser may refuse: then `playRefused`. */
  play(): void;
  pause(): void;
  seek(to: number): void;
  setRate(rate: number): void;
  setAudioTrack(index: number): void;
  setQuality(index: number): void;
  /** Asks the server about the film; then `answered`. */
  lookUp(attempt: number): void;
  read(): Reading;
}

/** Of `HTMLMediaElement.readyState`. */
const HAVE_METADATA = 1;
const HAVE_FUTURE_DATA = 3;
const ASK_AGAIN_MS = { first: 500, max: 5000, factor: 1.6 } as const;
/** A film counts as badly understood when the browser finds this much less of it than the server. */
const SHORT_S = 3;
const SHORT_SHARE = 0.1;
/**
 * A film that should go on and does not move, in place or in what has arrived: after so long the page says so, and after
 * so long it begins anew from there. One that has not begun is given longer: the server may have to read it first.
 */
const STANDS_AFTER_MS = 4000;
const ANEW_AFTER_MS = { begun: 12_000, opening: 60_000 } as const;
/** The very end shows no picture: a seek stops this far before it. */
const BEFORE_END_S = 0.05;
/** A film that has failed has got past that place when it is so much farther: until it fails there again it may play a little. */
const PAST_S = 0.5;

export class Playback {
  view: FilmView;

  readonly #stage: Stage;
  readonly #selection: Selection;
  readonly #onView: (view: FilmView) => void;
  /** As the server says it; 0 where it does not. */
  readonly #duration: number;
  /** What is left to try; the first is the one that plays. */
  #sources: Source[] = [];
  #isOpen = false;
  #isClosed = false;
  /** Counts openings and repairs. */
  #attempt = 0;
  #wantsToPlay = true;
  #started = false;
  /** Where the next engine is to begin, and where a seek is on its way to. */
  #place: number;
  #seeking = false;
  /** Errors of this source since it last got past where it failed, and where that was. */
  #errors = 0;
  #failedAt = -Infinity;
  #unanswered = 0;
  /** What was last seen to move, and when, on the clock of who calls `look`. */
  #movement = { seen: "", at: 0 };

  constructor(stage: Stage, film: Pick<Film, "duration">, selection: Selection, at: number, onView: (view: FilmView) => void) {
    this.#stage = stage;
    this.#selection = selection;
    this.#onView = onView;
    const duration = (this.#duration = film.duration ?? 0);
    this.#place = Math.min(at, Math.max(0, duration - BEFORE_END_S));
    this.view = {
      ...{ phase: "opening", failure: null, missing: "", soundOnly: false, stands: false, source: null, duration, time: this.#place, buffered: [], rate: 1 },
      ...{ audioTracks: [], audioTrack: 0, qualities: [], quality: -1 },
    };
  }

  start(): void {
    const selection = this.#selection;
    if (selection.kind === "refuse") return this.#tell({ phase: "failed", failure: selection.failure });
    this.#sources = selection.sources;
    this.#tell({ missing: selection.missing, soundOnly: selection.soundOnly });
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#attempt++;
    this.#isOpen = false;
    this.#stage.close();
  }

  // What the viewer does.

  toggle(): void {
    if (this.view.phase === "failed") return this.retry();
    if (this.view.phase === "ended") {
      this.#wantsToPlay = true;
      this.seek(0);
      return this.#stage.play();
    }
    this.#wantsToPlay = this.#stage.read().paused;
    if (this.#wantsToPlay) this.#stage.play();
    else this.#stage.pause();
  }

  play(): void {
    if (this.#stage.read().paused) this.toggle();
  }

  seek(to: number): void {
    const place = Math.max(0, Math.min(to, this.view.duration - BEFORE_END_S));
    this.#place = place;
    this.#seeking = true;
    // A viewer who goes elsewhere has what failed forgiven.
    this.#failedAt = -Infinity;
    if (this.#isOpen) this.#stage.seek(place);
    this.#tell({ time: place });
  }

  setRate(rate: number): void {
    this.#stage.setRate(rate);
    this.#tell({ rate });
  }

  setAudioTrack(index: number): void {
    if (this.#isOpen) this.#stage.setAudioTrack(index);
    this.changed();
  }

  setQuality(index: number): void {
    if (this.#isOpen) this.#stage.setQuality(index);
    this.changed();
  }

  /** After everything has failed: all over again, from the same place. */
  retry(): void {
    if (this.#selection.kind === "refuse") return;
    this.#sources = this.#selection.sources;
    this.#wantsToPlay = true;
    this.#open();
  }

  // What became of what was asked for.

  /** Whether this opening is still the one that is waited for. */
  isCurrent(attempt: number): boolean {
    return attempt === this.#attempt;
  }

  opened(attempt: number): void {
    if (!this.isCurrent(attempt)) return;
    this.#isOpen = true;
    this.setRate(this.view.rate);
    if (this.#wantsToPlay) this.#stage.play();
  }

  /** A lost network is waited for; a film that the browser stumbles over is tried from the next source. */
  failed(attempt: number, kind: EngineError["kind"]): void {
    if (!this.isCurrent(attempt)) return;
    const repair = ++this.#attempt;
    this.#failedAt = this.#place;
    if (kind === "media" && this.#sources.length > 1 && this.#errors === 0) return this.#openNext();
    this.#unanswered = 0;
    this.#stage.lookUp(repair);
  }

  answered(attempt: number, answer: FilmLookup): void {
    if (!this.isCurrent(attempt)) return;
    if (answer.kind === "absent") return this.#fail(NO_SUCH_FILM);
    if (answer.kind === "refused") return this.#fail(answer.status === 401 || answer.status === 403 ? FILM_NOT_ALLOWED : NO_SOURCE_LEFT);
    if (answer.kind === "silent") {
      this.#tell({ phase: "away", failure: SERVER_SILENT });
      const { first, max, factor } = ASK_AGAIN_MS;
      setTimeout(() => this.isCurrent(attempt) && this.#stage.lookUp(attempt), Math.min(max, first * factor ** this.#unanswered++));
      return;
    }
    // The server is well and the film is there: once more from the same source, then it is the source.
    if (this.#errors++ === 0) return this.#open();
    this.#errors = 0;
    this.#openNext();
  }

  playRefused(): void {
    this.#wantsToPlay = false;
    this.changed();
  }

  // What the element says.

  /** Something about the element or the engine is not as it was. */
  changed(): void {
    if (!this.#isOpen || this.view.phase === "failed" || this.view.phase === "away") return;
    const reading = this.#stage.read();
    const { currentTime, duration, offset, audioTracks, audioTrack, qualities, quality } = reading;
    const flowing = reading.readyState >= HAVE_FUTURE_DATA;
    if (!this.#seeking && reading.readyState > 0) this.#place = currentTime + offset;
    if (flowing && !reading.paused) {
      this.#started = true;
      if (currentTime > 0 && this.#place > this.#failedAt + PAST_S) this.#errors = 0;
    }
    this.#tell({
      phase: this.#phaseOf(reading, flowing),
      time: this.#place,
      duration: Number.isFinite(duration) && offset === 0 ? duration : this.view.duration,
      buffered: reading.buffered.map(([start, end]) => [start + offset, end + offset]),
      rate: reading.playbackRate,
      ...{ audioTracks, audioTrack, qualities, quality },
    });
  }

  /** The browser may find less in a file than the server did: a fragmented file without an index, for one. */
  measured(): void {
    const { duration, readyState } = this.#stage.read();
    const [source, next] = this.#sources;
    const told = this.#duration;
    const short = !(duration >= told - Math.max(SHORT_S, told * SHORT_SHARE)) || duration === Infinity;
    if (source?.kind === "file" && next && short && readyState > 0) this.#openNext();
  }

  /**
   * Called about once a second: notices a film that stands still though nobody has stopped it, of which no event tells.
   * `unseen`: nobody looks at the page, and browsers may let it rest.
   */
  look(now: number, unseen = false): void {
    const reading = this.#stage.read();
    const { time, phase } = this.view;
    const rests = unseen || !this.#isOpen || reading.ended || (reading.paused && !this.#wantsToPlay) || phase === "failed" || phase === "away";
    const seen = `${this.#attempt} ${time} ${reading.currentTime} ${reading.buffered.at(-1)?.[1] ?? 0}`;
    if (rests || seen !== this.#movement.seen) this.#movement = { seen, at: now };
    const stood = now - this.#movement.at;
    const stands = stood >= STANDS_AFTER_MS && phase !== "playing";
    if (stands !== this.view.stands) this.#tell({ stands });
    if (stood >= (this.#started ? ANEW_AFTER_MS.begun : ANEW_AFTER_MS.opening)) this.failed(this.#attempt, "network");
  }

  seeked(): void {
    this.#seeking = false;
    this.changed();
  }

  resumed(): void {
    this.#wantsToPlay = true;
  }

  /** Also the browser pauses (media keys, the picture-in-picture window); the end of a film is no pause. */
  paused(): void {
    const { ended, readyState } = this.#stage.read();
    if (this.#isOpen && !ended && readyState > 0) this.#wantsToPlay = false;
    this.changed();
  }

  #openNext(): void {
    this.#sources = this.#sources.slice(1);
    this.#open();
  }

  #open(): void {
    const [source] = this.#sources;
    const attempt = ++this.#attempt;
    this.#closeEngine();
    if (!source) return this.#tell({ phase: "failed", failure: NO_SOURCE_LEFT });
    this.#tell({ phase: this.#started ? "buffering" : "opening", failure: null, source: source.kind });
    this.#stage.open(source, this.#place, attempt);
  }

  #fail(failure: Failure): void {
    this.#closeEngine();
    this.#tell({ phase: "failed", failure });
  }

  #closeEngine(): void {
    this.#isOpen = false;
    this.#stage.closeEngine();
  }

  #phaseOf({ ended, paused, readyState }: Reading, flowing: boolean): FilmPhase {
    if (ended) return "ended";
    if (paused && readyState >= HAVE_METADATA && !this.#wantsToPlay) return this.#started ? "paused" : "ready";
    if (flowing && !paused) return "playing";
    return this.#started ? "buffering" : "opening";
  }

  #tell(news: Partial<FilmView>): void {
    if (this.#isClosed) return;
    this.view = { ...this.view, ...news };
    this.#onView(this.view);
  }
}
