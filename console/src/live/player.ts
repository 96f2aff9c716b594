/**
 * The player of one live stream, without a face: looks the stream up, waits for it, plays it, and after every
 * end begins again, for as long as the page is open. What it is at, it tells in one `LiveView`; the page draws it.
 *
 * Media comes over a WebSocket: of plain requests a browser has six at once to one server, and a stream would hold one
 * for as long as its page is open. What other ways there are, and when they are taken, `ways.ts` decides.
 *
 * Where the server keeps a window, the viewer can go back in it: `#place` is where, `null` the head. Going elsewhere is
 * moving in what is buffered, else another attempt that begins there.
 *
 *     look up → (absent: wait, and again) → select tracks → attempt → how did it end? → wait a little → look up …
 */
import type Mpegts from "mpegts.js";
import { lookUp, type Stream } from "../shared/api.ts";
import { encodePath, hlsUrl, httpFlvUrl, withQuery, wsFlvUrl, type StreamName } from "../shared/address.ts";
import { codecOf } from "../shared/player/codecs.ts";
import { isTypeSupported } from "../shared/player/element.ts";
import type { Failure } from "../shared/player/failure.ts";
import { Attempt, NO_FIGURES, type Beginning, type Ending, type Figures, type Transport } from "./attempt.ts";
import { HlsAttempt, playsNatively } from "./hls-attempt.ts";
import { HEAD_S, headOf, keptOf, placeOf, type Kept, type LivePlace } from "./kept.ts";
import { isPerhapsInFlv, selectTracks, NO_MEDIA_SOURCE, type SelectionResult, type TrackSelection } from "./track-selection.ts";
import { Ways } from "./ways.ts";

/** `waiting`: for the publisher; `away`: for the server, which does not answer; `restarting`: the picture stood still. */
export type LivePhase = "connecting" | "waiting" | "away" | "restarting" | "playing" | "buffering" | "paused" | "failed";

export interface LiveView {
  phase: LivePhase;
  failure: Failure | null;
  /** Whether a picture was ever shown: "has ended" and "has not begun" are different news. */
  seen: boolean;
  stream: Stream | null;
  selection: TrackSelection | null;
  transport: Transport;
  figures: Figures;
  /** Where in what is kept the viewer is; `null` where nothing is. */
  place: LivePlace | null;
}

const WAIT_MS = { first: 800, max: 5000, factor: 1.4 } as const;
const RETRY_MS = { first: 300, max: 8000, factor: 1.8 } as const;
/** Silence after which the server is asked what is the matter, and after which the connection is given up. */
const SILENCE_ASK_MS = 4000;
const SILENCE_END_MS = 12000;
const REFRESH_MS = 3000;
const DISCONNECT_AFTER_PAUSE_MS = 15000;
/** A stream this young may not have shown all its tracks yet, and may have no window. */
const TRACKS_SETTLE_MS = 1500;

export class LivePlayer {
  view: LiveView = { phase: "connecting", failure: null, seen: false, stream: null, selection: null, transport: "ws", figures: NO_FIGURES, place: null };

  readonly #video: HTMLVideoElement;
  readonly #name: StreamName;
  readonly #query: string;
  readonly #onView: (view: LiveView) => void;
  readonly #closing = new AbortController();
  #attempt: Attempt | HlsAttempt | null = null;
  #wantsToPlay = true;
  #ways = new Ways(true);
  /** Where to be, in seconds behind the broadcast's begin; `null` is the head. */
  #place: number | null = null;
  #kept: Kept | null = null;
  /** The viewer has gone elsewhere: what is shown meanwhile is a wait. */
  #moves = false;
  #wake: () => void = () => {};
  /** By which the server knows this viewer over HLS, where there is no connection that is one. */
  readonly #viewer = Math.random().toString(36).slice(2, 14);

  /** `query` (with its `?`, or empty) is handed on to the server with every request: a watch link may carry a key. */
  constructor(video: HTMLVideoElement, name: StreamName, query: string, onView: (view: LiveView) => void) {
    this.#video = video;
    this.#name = name;
    this.#query = query;
    this.#onView = onView;
    const { signal } = this.#closing;
    video.addEventListener("pause", () => this.#paused(), { signal });
    video.addEventListener("play", () => this.#resumed(), { signal });
    void this.#run();
  }

  close(): void {
    this.#closing.abort();
    this.#attempt?.stop();
    this.#wake();
  }

  /** After a pause it goes on where it stood, as far as that is kept; where nothing is, at the live edge. */
  toggle(): void {
    if (this.#wantsToPlay && this.#attempt) this.#video.pause();
    else {
      this.#resumed();
      if (this.#attempt) void this.#play();
    }
  }

  /** Goes to a place of the broadcast; near the head, to the head. */
  seek(to: number): void {
    const { place } = this.view;
    if (!place || !this.#kept) return;
    const head = headOf(this.#kept, seconds());
    if (to > head - HEAD_S) return this.goLive();
    this.#place = Math.max(place.from, to);
    this.#tell({ place: { ...place, to: head, time: this.#place, atHead: false } });
    if (!this.#attempt?.moveBy(this.#place - place.time)) this.#begin();
    this.#goOn();
  }

  /** Goes to the head. */
  goLive(): void {
    this.#place = null;
    const attempt = this.#attempt;
    // What began at the head has its newest in the buffer.
    if (attempt?.offset === null && attempt.gotMedia) attempt.atHead = true;
    else if (!attempt?.atHead) this.#begin();
    this.#goOn();
  }

  #begin(): void {
    this.#moves = true;
    this.#tell({ phase: "buffering" });
    this.#attempt?.stop();
    this.#wake();
  }

  #goOn(): void {
    this.#resumed();
    if (this.#attempt) void this.#play();
  }

  retryNow(): void {
    this.#wake();
  }

  async #run(): Promise<void> {
    const mpegts = await this.#load();
    if (!mpegts) return;
    if (!mpegts.isSupported()) {
      if (!playsNatively(this.#video)) return this.#tell({ phase: "failed", failure: NO_MEDIA_SOURCE });
      this.#ways = new Ways(false);
    }

    let waits = 0;
    let retries = 0;
    while (!this.#closing.signal.aborted) {
      const selection = await this.#select();
      if (!selection) {
        await this.#sleep(backOff(WAIT_MS, waits++));
        continue;
      }
      const beginning = await this.#beginning();
      if (this.#closing.signal.aborted) return;
      const attempt = this.#open(mpegts, selection, beginning);
      const ending = await this.#follow(attempt);
      this.#attempt = null;
      if (attempt.gotMedia) waits = retries = 0;
      await this.#afterwards(attempt, ending, retries++);
    }
  }

  /** The player itself is a part of the page that may not come: then the page says so and asks again. */
  async #load(): Promise<typeof Mpegts | null> {
    for (let times = 0; !this.#closing.signal.aborted; times++) {
      try {
        const { default: mpegts } = await import("../shared/player/mpegts.ts");
        mpegts.LoggingControl.enableAll = false;
        return mpegts;
      } catch {
        this.#tell({ phase: "away" });
        await this.#sleep(backOff(RETRY_MS, times));
        // A browser asks once for a part of a page, and a server that was renewed has others.
        if (times > 0 && (await lookUp(encodePath(this.#name), this.#query)).kind !== "silent") window.location.reload();
      }
    }
    return null;
  }

  /** What to play of the stream; `null` when there is nothing to play now (the view says why). */
  async #select(): Promise<TrackSelection | null> {
    const answer = await lookUp(encodePath(this.#name), this.#query);
    if (answer.kind === "absent" || (answer.kind === "found" && answer.stream.state !== "live")) {
      // What comes next may come through.
      this.#ways.beginAnew();
      this.#tell({ phase: "waiting", failure: null, stream: answer.kind === "found" ? answer.stream : null });
      return null;
    }
    if (answer.kind === "silent") {
      this.#tell({ phase: "away", failure: null });
      return null;
    }
    const stream = answer.kind === "found" ? answer.stream : null;
    if (stream && stream.uptime_ms < TRACKS_SETTLE_MS && !this.#isComplete(stream)) {
      this.#tell({ phase: "connecting", failure: null, stream });
      await this.#sleep(TRACKS_SETTLE_MS - stream.uptime_ms);
      return this.#select();
    }
    return this.#accept(stream);
  }

  /** What this browser can play of the stream, by the ways that are left. */
  #plan(stream: Stream | null): SelectionResult {
    return selectTracks(stream, this.#canPlay, this.#ways.obstacles);
  }

  /** A track may still come, and so may the window, which has what FLV lacks. */
  #isComplete(stream: Stream): boolean {
    const result = this.#plan(stream);
    const isPlayed = result.kind === "play" && result.selection.missing === "";
    return stream.video !== null && stream.audio !== null && isPlayed && (!isPerhapsInFlv(codecOf(stream.video) ?? "") || Boolean(stream.window));
  }

  #accept(stream: Stream | null): TrackSelection | null {
    const result = this.#plan(stream);
    if (result.kind === "refuse") {
      this.#tell({ phase: "failed", failure: result.failure, stream });
      return null;
    }
    this.#keep(stream);
    this.#tell({ selection: result.selection });
    return result.selection;
  }

  /** Where the server begins for who wants to be at the place; `null` at the head. */
  async #beginning(): Promise<Beginning | null> {
    const place = this.#place;
    if (place === null) return null;
    const answer = await lookUp(encodePath(this.#name), withQuery(this.#query, `?start=${place.toFixed(3)}`));
    const start = answer.kind === "found" ? answer.stream.window?.start_ms : undefined;
    if (start === undefined) this.#place = null;
    return start === undefined ? null : { offset: start / 1000, skip: Math.max(0, place - start / 1000) };
  }

  #open(mpegts: typeof Mpegts, selection: TrackSelection, beginning: Beginning | null): Attempt | HlsAttempt {
    const transport = this.#ways.of(selection);
    this.#tell({ transport });
    if (transport === "hls") return this.#openHls(selection, beginning);
    const address = transport === "ws" ? wsFlvUrl : httpFlvUrl;
    const start = beginning ? `?start=${beginning.offset.toFixed(3)}` : "";
    const url = withQuery(address(window.location, this.#name) + this.#query, start);
    if (!keepsItsWords(this.view.phase)) this.#tell({ phase: this.#moves ? "buffering" : "connecting", failure: null });
    const attempt = new Attempt(mpegts, this.#video, url, selection, transport, beginning);
    this.#attempt = attempt;
    if (this.#wantsToPlay) void this.#play();
    return attempt;
  }

  #openHls(selection: TrackSelection, beginning: Beginning | null): HlsAttempt {
    if (!keepsItsWords(this.view.phase)) this.#tell({ phase: "connecting", failure: null });
    const url = withQuery(hlsUrl(window.location, this.#name) + this.#query, `?viewer=${this.#viewer}`);
    const behind = beginning && this.#kept ? headOf(this.#kept, seconds()) - (beginning.offset + beginning.skip) : null;
    const attempt = new HlsAttempt(this.#video, url, selection, behind);
    this.#attempt = attempt;
    if (this.#wantsToPlay) void this.#play();
    return attempt;
  }

  /** Watches an attempt until it is over: draws it, notices silence, parks a long pause, follows new tracks. */
  async #follow(attempt: Attempt | HlsAttempt): Promise<Ending> {
    let over = false;
    const done = attempt.over.finally(() => (over = true));
    let pausedFor = 0;
    let askedAt = performance.now();
    while (!over) {
      await Promise.race([done, pause(250)]);
      if (over) break;
      // What it still shows is of no interest.
      if (attempt.isOver) continue;
      this.#draw(attempt);
      pausedFor = this.#wantsToPlay ? 0 : pausedFor + 250;
      if (pausedFor > DISCONNECT_AFTER_PAUSE_MS) attempt.stop();

      const now = performance.now();
      const silence = now - attempt.mediaAt;
      if (now - askedAt > (silence > SILENCE_ASK_MS ? 1000 : REFRESH_MS) && !document.hidden) {
        await this.#reconsider(attempt);
        askedAt = performance.now();
      } else if (silence > SILENCE_END_MS && document.hidden) attempt.giveUp();
    }
    return done;
  }

  /** Asks the server again: for the figures it shows, for tracks that came or went, for the reason of a silence. */
  async #reconsider(attempt: Attempt | HlsAttempt): Promise<void> {
    const answer = await lookUp(encodePath(this.#name), this.#query);
    if (this.#attempt !== attempt) return;
    const silence = performance.now() - attempt.mediaAt;
    if (answer.kind === "found") {
      const { stream } = answer;
      this.#keep(stream);
      if (stream.state === "live" && stream.uptime_ms > TRACKS_SETTLE_MS && (stream.video || stream.audio)) {
        const result = this.#plan(stream);
        const changed =
          result.kind === "refuse" ||
          // Who has gone back watches what was, whatever the head is by now.
          (attempt.atHead && attempt.selection.overHls !== result.selection.overHls) ||
          (attempt.selection.video !== null && attempt.selection.video !== result.selection.video) ||
          (attempt.selection.audio !== null && attempt.selection.audio !== result.selection.audio);
        if (changed) return attempt.stop();
      }
      if (stream.state !== "live" && silence > SILENCE_ASK_MS) {
        // The server keeps this viewer for when the publisher comes back; the page keeps the connection.
        attempt.excuseSilence();
        return this.#tell({ phase: "waiting" });
      }
    }
    if (answer.kind === "absent" && silence > SILENCE_ASK_MS) return attempt.stop();
    // The server holds the request open until the stream is there, and will not say more.
    if (answer.kind === "unknown" && silence > SILENCE_ASK_MS && !attempt.gotMedia) this.#tell({ phase: "waiting" });
    if (silence > SILENCE_END_MS) attempt.giveUp();
  }

  #draw(attempt: Attempt | HlsAttempt): void {
    const flowing = this.#video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    const shown = flowing && attempt.gotMedia && !attempt.stands;
    const phase: LivePhase = !this.#wantsToPlay
      ? "paused"
      : shown
        ? "playing"
        : keepsItsWords(this.view.phase)
          ? this.view.phase
          : attempt.gotMedia || this.#moves
            ? "buffering"
            : "connecting";
    if (shown) this.#moves = false;
    this.#tell({ phase, figures: attempt.figures, seen: this.view.seen || shown, failure: null, place: this.#placeIn(attempt) });
  }

  /** Where the viewer is; noted, so that another attempt goes on there. */
  #placeIn(attempt: Attempt | HlsAttempt): LivePlace | null {
    if (!this.#kept) return null;
    // Until it has come to its place, that is where it is.
    if (this.#moves && this.view.place) return { ...this.view.place, to: headOf(this.#kept, seconds()) };
    const { offset, atHead, figures } = attempt;
    const place = placeOf(this.#kept, seconds(), { offset, atHead, playhead: this.#video.currentTime, latency: figures.latency });
    if (place) this.#place = atHead ? null : place.time;
    return place;
  }

  #keep(stream: Stream | null): void {
    this.#kept = keptOf(stream, seconds());
    this.#tell({ stream });
  }

  async #afterwards(attempt: Attempt | HlsAttempt, ending: Ending, retries: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (!this.#wantsToPlay) {
      this.#tell({ phase: "paused" });
      while (!this.#wantsToPlay && !this.#closing.signal.aborted) {
        await this.#sleep(1000);
        // The head goes on.
        if (this.#kept && this.view.place) this.#tell({ place: { ...this.view.place, to: headOf(this.#kept, seconds()) } });
      }
      return;
    }
    this.#ways.note(attempt, ending.kind, this.view.stream?.video?.codec_string ?? null);
    // Where another way is left, that is tried before anything is said.
    if (ending.kind === "failed" && (await this.#hasOther(attempt))) return;
    if (ending.kind === "failed") this.#tell({ phase: "failed", failure: ending.failure });
    if (ending.kind === "absent" || ending.kind === "ended") {
      this.#place = this.#kept = null;
      this.#tell({ phase: "waiting", failure: null, place: null });
    }
    if (ending.kind === "stopped") return;
    if (ending.kind === "stuck") this.#tell({ phase: "restarting", failure: null });
    if (ending.kind === "lost") this.#tell({ phase: this.view.seen ? "buffering" : "connecting" });
    await this.#sleep(ending.kind === "failed" ? RETRY_MS.max : backOff(RETRY_MS, retries));
  }

  /** Whether something else is to be tried of a stream that could not be played so. */
  async #hasOther(attempt: Attempt | HlsAttempt): Promise<boolean> {
    // The codecs of a place behind the head are not known.
    if (this.#place !== null) {
      this.#place = null;
      return true;
    }
    const answer = await lookUp(encodePath(this.#name), this.#query);
    if (answer.kind !== "found" || answer.stream.state !== "live") return false;
    const result = this.#plan(answer.stream);
    return result.kind === "play" && result.selection.overHls !== attempt.selection.overHls;
  }

  /** Sound needs the viewer's leave; without it the picture starts alone and the page offers the sound. */
  async #play(): Promise<void> {
    try {
      await this.#video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError" || this.#video.muted) return;
      this.#video.muted = true;
      await this.#video.play().catch(() => {});
    }
  }

  /** Also the browser pauses (media keys, the picture-in-picture window); the end of a stream is no pause. */
  #paused(): void {
    if (!this.#attempt || this.#video.ended || this.#video.error) return;
    this.#wantsToPlay = false;
    const { place } = this.view;
    if (place && this.#kept) {
      this.#place = place.time;
      this.#attempt.atHead = false;
    }
    this.#tell({ phase: "paused" });
  }

  #resumed(): void {
    if (this.#wantsToPlay) return;
    this.#wantsToPlay = true;
    // What was parked begins anew, at its place.
    this.#moves ||= this.#attempt === null && this.#place !== null;
    this.#wake();
  }

  readonly #canPlay = (type: string): boolean => isTypeSupported(type) || (!this.#ways.hasMse && this.#video.canPlayType(type) !== "");

  #tell(news: Partial<LiveView>): void {
    if (this.#closing.signal.aborted) return;
    this.view = { ...this.view, ...news };
    this.#onView(this.view);
  }

  async #sleep(ms: number): Promise<void> {
    await Promise.race([pause(ms), new Promise<void>((resolve) => (this.#wake = resolve))]);
  }
}

/** Of what is said until there is a picture, "Connecting…" says the least. */
function keepsItsWords(phase: LivePhase): boolean {
  return phase === "waiting" || phase === "restarting";
}

/** Grows to its limit, and never keeps a thousand viewers in step. */
function backOff({ first, max, factor }: { first: number; max: number; factor: number }, times: number): number {
  return Math.min(max, first * factor ** Math.min(times, 20)) * (0.8 + 0.4 * Math.random());
}

/** Of a clock that only goes forward. */
function seconds(): number {
  return performance.now() / 1000;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
