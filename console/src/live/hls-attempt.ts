/**
 * One connection to a live stream over HLS, for browsers and networks that FLV does not reach: hls.js where there are
 * Media Source Extensions, else the browser itself. It is used as an `Attempt` is, and decides as little.
 */
import type HlsClass from "hls.js";
import { cannotPlay } from "../shared/player/failure.ts";
import { NO_FIGURES, type Ending, type Figures } from "./attempt.ts";
import { NOTICED_AFTER_S } from "./standstill.ts";
import type { TrackSelection } from "./track-selection.ts";

const POLL_MS = 250;
/** A decoder that stumbles is set up anew; after so many times it is not an accident. */
const RECOVERIES_MAX = 3;
const NATIVE = "application/vnd.apple.mpegurl";

/** Whether the browser plays HLS by itself. Some that have Media Source Extensions say so too, and do it badly. */
export function playsNatively(video: HTMLVideoElement): boolean {
  return video.canPlayType(NATIVE) !== "";
}

export class HlsAttempt {
  readonly over: Promise<Ending>;
  readonly transport = "hls";
  readonly selection: TrackSelection;
  /** Every place of the window is within reach: none is the beginning. */
  readonly offset = null;
  figures: Figures = NO_FIGURES;
  mediaAt = performance.now();
  gotMedia = false;

  readonly #video: HTMLVideoElement;
  readonly #look: ReturnType<typeof setInterval>;
  readonly #listening = new AbortController();
  #hls: HlsClass | null = null;
  #finish: (ending: Ending) => void = () => {};
  #done = false;
  #atHead: boolean;
  /** Where to go once there is media. */
  #behind: number | null;
  #recoveries = 0;
  #playhead = 0;
  #movedAt = performance.now();

  /** `behind`: how far behind the head it begins, in seconds; `null` at the head. */
  constructor(video: HTMLVideoElement, url: string, selection: TrackSelection, behind: number | null) {
    this.#video = video;
    this.#behind = behind;
    this.#atHead = behind === null;
    this.selection = selection;
    this.over = new Promise((resolve) => (this.#finish = resolve));
    const { signal } = this.#listening;
    video.addEventListener("ended", () => this.#end({ kind: "ended" }), { signal });
    this.#look = setInterval(() => this.#tick(), POLL_MS);
    void this.#open(url);
  }

  get stands(): boolean {
    return !this.#video.paused && (performance.now() - this.#movedAt) / 1000 > NOTICED_AFTER_S;
  }

  get isOver(): boolean {
    return this.#done;
  }

  get atHead(): boolean {
    return this.#atHead;
  }

  set atHead(atHead: boolean) {
    if (atHead && !this.#atHead) this.#video.currentTime = this.#hls?.liveSyncPosition ?? this.#edge;
    this.#atHead = atHead;
  }

  excuseSilence(): void {
    this.mediaAt = performance.now();
  }

  moveBy(seconds: number): boolean {
    const { seekable, currentTime } = this.#video;
    const first = seekable.length > 0 ? seekable.start(0) : 0;
    if (this.#done) return false;
    this.#atHead = false;
    this.#video.currentTime = Math.min(Math.max(first, currentTime + seconds), this.#edge);
    return true;
  }

  stop(): void {
    this.#end({ kind: "stopped" });
  }

  giveUp(): void {
    this.#end({ kind: "lost" });
  }

  async #open(url: string): Promise<void> {
    const Hls = await import("hls.js").then(({ default: found }) => found, () => null);
    if (this.#done) return;
    if (Hls?.isSupported()) return this.#load(Hls, url);
    if (!playsNatively(this.#video)) return this.#end(Hls ? { kind: "failed", failure: cannotPlay("") } : { kind: "lost" });
    const { signal } = this.#listening;
    this.#video.addEventListener("error", () => this.#end({ kind: "lost" }), { signal });
    this.#video.src = url;
    void this.#video.play().catch(() => {});
  }

  #load(Hls: typeof HlsClass, url: string): void {
    // The policy of the page allows no script from a blob.
    const hls = new Hls({ lowLatencyMode: true, enableWorker: false, backBufferLength: 30 });
    this.#hls = hls;
    const { Events, ErrorTypes, ErrorDetails } = Hls;
    hls.on(Events.ERROR, (_event, { fatal, type, details, response }) => {
      if (!fatal) return;
      const lacksCodec = details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR;
      if (type === ErrorTypes.MEDIA_ERROR && !lacksCodec && this.#recoveries++ < RECOVERIES_MAX) return hls.recoverMediaError();
      if (response?.code === 404) return this.#end({ kind: "absent" });
      this.#end(type === ErrorTypes.MEDIA_ERROR ? { kind: "failed", failure: cannotPlay("") } : { kind: "lost" });
    });
    hls.attachMedia(this.#video);
    hls.loadSource(url);
  }

  /** The end of what there is. */
  get #edge(): number {
    const { seekable, buffered, currentTime } = this.#video;
    if (seekable.length > 0) return seekable.end(seekable.length - 1);
    return buffered.length > 0 ? buffered.end(buffered.length - 1) : currentTime;
  }

  #tick(): void {
    const video = this.#video;
    const { buffered, currentTime } = video;
    const now = performance.now();
    const end = buffered.length > 0 ? buffered.end(buffered.length - 1) : 0;
    if (end > this.figures.buffered + currentTime + 0.001 || (end === 0 && currentTime > this.#playhead)) {
      this.mediaAt = now;
      this.gotMedia = true;
    }
    if (this.#behind !== null && this.gotMedia) {
      this.moveBy(this.#edge - this.#behind - currentTime);
      this.#behind = null;
    }
    if (currentTime !== this.#playhead || video.paused) this.#movedAt = now;
    this.#playhead = currentTime;
    const quality = video.getVideoPlaybackQuality?.();
    const bitrate = this.#hls?.levels[this.#hls.currentLevel]?.bitrate ?? 0;
    this.figures = {
      ...this.figures,
      latency: Math.max(0, this.#hls?.latency || this.#edge - currentTime),
      target: this.#hls?.targetLatency ?? 0,
      rate: video.playbackRate,
      buffered: Math.max(0, end - currentTime),
      framesShown: quality?.totalVideoFrames ?? 0,
      framesDropped: quality?.droppedVideoFrames ?? 0,
      width: video.videoWidth,
      height: video.videoHeight,
      bitrate,
    };
  }

  #end(ending: Ending): void {
    if (this.#done) return;
    this.#done = true;
    clearInterval(this.#look);
    this.#listening.abort();
    // Not from within the player's own event.
    setTimeout(() => {
      this.#hls?.destroy();
      this.#video.removeAttribute("src");
      this.#video.load();
      this.#finish(ending);
    });
  }
}
