/**
 * One connection to the media of a stream, from opening it to its end: mpegts.js on a `<video>`, the catch-up
 * policy on a clock, and the verdict how it ended. It does not reconnect and does not know why it was started;
 * `player.ts` decides both.
 */
import type Mpegts from "mpegts.js";
import { cannotPlay, NOT_ALLOWED, type Failure } from "../shared/player/failure.ts";
import { catchUp, initialState, type CatchUpState } from "./catch-up.ts";
import { frozen, initialPictures, initialStandstill, movedTo, NOTICED_AFTER_S, standstill } from "./standstill.ts";
import type { TrackSelection } from "./track-selection.ts";

export type Transport = "http" | "ws" | "hls";

/** How the attempt ended. */
export type Ending =
  | { kind: "ended" } /* the server closed the stream in order */
  | { kind: "lost" } /* the network broke, or nothing came */
  | { kind: "stuck" } /* media came, and the picture stood still */
  | { kind: "absent" } /* no such stream (now) */
  | { kind: "failed"; failure: Failure }
  | { kind: "stopped" }; /* by the caller */

export interface Figures {
  latency: number;
  target: number;
  rate: number;
  buffered: number;
  framesShown: number;
  framesDropped: number;
  width: number;
  height: number;
  /** Bits per second that arrive, smoothed. */
  bitrate: number;
  stalls: number;
  jumps: number;
}

export const NO_FIGURES: Figures = {
  latency: 0,
  target: 0,
  rate: 1,
  buffered: 0,
  framesShown: 0,
  framesDropped: 0,
  width: 0,
  height: 0,
  bitrate: 0,
  stalls: 0,
  jumps: 0,
};

/** Where an attempt begins that is not at the head: the server's first frame, and the viewer's place behind it; seconds. */
export interface Beginning {
  offset: number;
  skip: number;
}

const POLL_MS = 200;
/** What is left in the buffer when the stream ends is shown, but no longer than this is waited for it. */
const DRAIN_MS = 3000;
/** Who has gone back has more of it. */
const DRAIN_BEHIND_MS = 8000;
/** What was played for so long is not skipped any more, though the place that was asked for has not come. */
const SKIP_WITHIN_S = 1;
/** A place is inside what is buffered if it is so far from its ends. */
const INSIDE_S = 0.3;

export class Attempt {
  /** Settled once, when the attempt is over and the element is free again. */
  readonly over: Promise<Ending>;
  readonly transport: Transport;
  readonly selection: TrackSelection;
  figures: Figures = NO_FIGURES;
  /** When the last new media arrived (or the attempt began), on the clock of `performance.now()`. */
  mediaAt = performance.now();
  gotMedia = false;

  /** The time of the broadcast at the element's zero; `null` of who began at the head. */
  readonly offset: number | null;
  /** Whether the head is to be kept up with. */
  atHead: boolean;

  #skipTo: number;
  readonly #video: HTMLVideoElement;
  readonly #player: Mpegts.Player;
  readonly #look: ReturnType<typeof setInterval>;
  #finish: (ending: Ending) => void = () => {};
  #done = false;
  #state: CatchUpState = initialState(performance.now() / 1000);
  #standstill = initialStandstill(performance.now() / 1000);
  #pictures = initialPictures(performance.now() / 1000);
  #edge = 0;
  #ranDry = false;
  #firstPlayedAt = Infinity;
  #bitrate = 0;

  constructor(
    mpegts: typeof Mpegts,
    video: HTMLVideoElement,
    url: string,
    selection: TrackSelection,
    transport: Transport,
    beginning: Beginning | null,
  ) {
    this.#video = video;
    this.offset = beginning?.offset ?? null;
    this.atHead = beginning === null;
    this.#skipTo = beginning?.skip ?? 0;
    this.selection = selection;
    this.transport = transport;
    this.over = new Promise((resolve) => (this.#finish = resolve));
    this.#player = mpegts.createPlayer(
      {
        type: "flv",
        isLive: true,
        url,
        ...(selection.video === null ? {} : { hasVideo: selection.video }),
        ...(selection.audio === null ? {} : { hasAudio: selection.audio }),
      },
      {
        enableStashBuffer: false,
        lazyLoad: false,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 40,
        autoCleanupMinBackwardDuration: 15,
      },
    );
    this.#listen(mpegts);
    video.addEventListener("waiting", this.#onWaiting);
    this.#player.attachMediaElement(video);
    this.#player.load();
    this.#look = setInterval(() => this.#tick(), POLL_MS);
  }

  /** Whether it stands still for long enough that a viewer notices, though there is media. */
  get stands(): boolean {
    return performance.now() / 1000 - this.#standstill.since > NOTICED_AFTER_S;
  }

  /** Whether its end is settled, though the element may not be free yet. */
  get isOver(): boolean {
    return this.#done;
  }

  /** There is a reason for the silence; patience begins anew. */
  excuseSilence(): void {
    this.mediaAt = performance.now();
  }

  /** Between two looks the element may run dry and recover; that is a stall too. A seek is not. */
  readonly #onWaiting = () => {
    if (!this.#video.seeking) this.#ranDry = true;
  };

  /** Moves by so many seconds within what is buffered; false where that is not. */
  moveBy(seconds: number): boolean {
    const to = this.#video.currentTime + seconds;
    const holds = rangesOf(this.#video.buffered).some(([start, end]) => to >= start + INSIDE_S && to <= end - INSIDE_S);
    if (!holds || this.#done) return false;
    this.atHead = false;
    this.#skipTo = 0;
    this.#video.currentTime = to;
    this.#standstill = movedTo(this.#standstill, to);
    return true;
  }

  stop(): void {
    this.#end({ kind: "stopped" });
  }

  giveUp(): void {
    this.#end({ kind: "lost" });
  }

  #listen({ Events, ErrorDetails }: typeof Mpegts): void {
    this.#player.on(Events.LOADING_COMPLETE, () => this.#drain());
    this.#player.on(Events.STATISTICS_INFO, (info: { speed?: number }) => {
      const now = (info.speed ?? 0) * 1024 * 8;
      this.#bitrate = this.#bitrate === 0 ? now : this.#bitrate * 0.8 + now * 0.2;
    });
    this.#player.on(Events.ERROR, (_kind: string, detail: string, info: { code?: number; msg?: string }) => {
      if (detail === ErrorDetails.NETWORK_STATUS_CODE_INVALID) this.#end(refusal(info.code ?? 0));
      else if (detail === ErrorDetails.MEDIA_CODEC_UNSUPPORTED) this.#end({ kind: "failed", failure: cannotPlay("") });
      else if (detail === ErrorDetails.MEDIA_MSE_ERROR && !this.gotMedia) this.#end({ kind: "failed", failure: cannotPlay("") });
      else this.#end({ kind: "lost" });
    });
  }

  /** The stream is over; what has arrived is still to be seen. */
  #drain(): void {
    if (this.#done) return;
    if (this.#video.paused || !this.gotMedia) return this.#end({ kind: "ended" });
    clearInterval(this.#look);
    this.#video.playbackRate = 1;
    const end = () => this.#end({ kind: "ended" });
    this.#video.addEventListener("ended", end, { once: true });
    setTimeout(end, this.atHead ? DRAIN_MS : DRAIN_BEHIND_MS);
  }

  #tick(): void {
    const now = performance.now();
    const video = this.#video;
    const ranges = rangesOf(video.buffered);
    const edge = ranges.at(-1)?.[1] ?? 0;
    if (edge > this.#edge + 0.001) {
      this.#edge = edge;
      this.mediaAt = now;
      this.gotMedia = true;
    }
    const dry = video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    const starved = dry || this.#ranDry;
    this.#ranDry = false;
    if (!dry && this.#firstPlayedAt === Infinity) this.#firstPlayedAt = now;
    const before = this.#state;
    const step = catchUp(before, {
      now: now / 1000,
      playhead: video.currentTime,
      ranges,
      paused: video.paused,
      starved,
      atHead: this.atHead,
      playedFor: Math.max(0, (now - this.#firstPlayedAt) / 1000),
    });
    this.#state = step.state;
    this.#skip(edge, now);
    if (step.seekTo !== null) video.currentTime = step.seekTo;
    if (video.playbackRate !== step.rate) video.playbackRate = step.rate;
    const jumped = step.seekTo !== null || this.#unstick(now / 1000, ranges.at(-1), step.latency);
    this.#measure(step.latency, ranges, step.state.stalledAt > before.stalledAt, jumped);
  }

  /** From the key frame that the server began with to the place that was asked for. */
  #skip(edge: number, now: number): void {
    if (now - this.#firstPlayedAt > SKIP_WITHIN_S * 1000) this.#skipTo = 0;
    if (this.#skipTo <= this.#video.currentTime || edge < this.#skipTo + INSIDE_S) return;
    this.#video.currentTime = this.#skipTo;
    this.#skipTo = 0;
  }

  /** Gets a player that stands still going again, or gives it up. Returns whether it was moved. */
  #unstick(now: number, last: [number, number] | undefined, ahead: number): boolean {
    const video = this.#video;
    const rests = video.paused || document.hidden;
    const { state, remedy } = standstill(this.#standstill, { now, playhead: video.currentTime, ahead, rests });
    const runs = !rests && video.currentTime !== this.#standstill.playhead;
    const pictures = frozen(this.#pictures, { now, shown: video.getVideoPlaybackQuality?.().totalVideoFrames ?? 0, runs });
    this.#pictures = pictures.state;
    this.#standstill = state;
    if (remedy === "begin anew" || pictures.isFrozen) this.#end({ kind: "stuck" });
    if (remedy !== "move" || !last) return false;
    // A little on, where it is not to be at the head: what the decoder stumbled over is behind it then.
    video.currentTime = Math.max(last[0], this.atHead ? last[1] - this.#state.target : video.currentTime + INSIDE_S);
    this.#standstill = movedTo(state, video.currentTime);
    return true;
  }

  #measure(latency: number, ranges: Array<[number, number]>, stalled: boolean, jumped: boolean): void {
    const quality = this.#video.getVideoPlaybackQuality?.();
    this.figures = {
      latency,
      target: this.#state.target,
      rate: this.#state.rate,
      buffered: ranges.reduce((sum, [start, end]) => sum + end - start, 0),
      framesShown: quality?.totalVideoFrames ?? 0,
      framesDropped: quality?.droppedVideoFrames ?? 0,
      width: this.#video.videoWidth,
      height: this.#video.videoHeight,
      bitrate: this.#bitrate,
      stalls: this.figures.stalls + (stalled ? 1 : 0),
      jumps: this.figures.jumps + (jumped ? 1 : 0),
    };
  }

  #end(ending: Ending): void {
    if (this.#done) return;
    this.#done = true;
    clearInterval(this.#look);
    this.#video.removeEventListener("waiting", this.#onWaiting);
    // Not from within the player's own event: it would fall over its missing parts.
    setTimeout(() => {
      this.#player.destroy();
      this.#finish(ending);
    });
  }
}

function refusal(status: number): Ending {
  if (status === 401 || status === 403) return { kind: "failed", failure: NOT_ALLOWED };
  return status === 404 || status === 410 ? { kind: "absent" } : { kind: "lost" };
}

function rangesOf(buffered: TimeRanges): Array<[number, number]> {
  return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
}
