/**
 * By which way media comes to the page, decided by how attempts ended. Pure: without clock, network and element.
 *
 * A WebSocket comes first, plain HTTP where it brings nothing, HLS where neither does. Codecs that the page does not demux
 * from FLV come over HLS in any case; where that brings nothing, they are done without.
 */
import type { Ending, Transport } from "./attempt.ts";
import { isPerhapsInFlv, type Obstacles, type TrackSelection } from "./track-selection.ts";

/** What of an attempt decides about the next. */
export interface Tried {
  readonly transport: Transport;
  readonly selection: TrackSelection;
  readonly gotMedia: boolean;
}

/** After so many attempts in a row without a picture or a sound, it is not the network. */
const EMPTY_ATTEMPTS_MAX = 2;

export class Ways {
  /** Without Media Source Extensions the browser's own HLS is the only way. */
  readonly hasMse: boolean;
  readonly #obstacles = { inFlv: new Set<string>(), hls: false };
  #way: Transport;
  /** Media has come over HTTP where a WebSocket brought none: a proxy breaks WebSockets. */
  #needsHttp = false;
  #emptyAttempts = 0;

  constructor(hasMse: boolean) {
    this.hasMse = hasMse;
    this.#way = hasMse ? "ws" : "hls";
  }

  /** What was found not to come through. */
  get obstacles(): Obstacles {
    return this.#obstacles;
  }

  /** By which way to get these tracks. */
  of(selection: TrackSelection): Transport {
    return selection.overHls ? "hls" : this.#way;
  }

  /** The stream is gone; what comes next may come through. */
  beginAnew(): void {
    this.#obstacles.hls = false;
    this.#obstacles.inFlv.clear();
  }

  /** Takes note of how an attempt ended; `codec` is that of the pictures. */
  note({ transport, selection, gotMedia }: Tried, ending: Ending["kind"], codec: string | null): void {
    if (gotMedia && transport !== "hls") this.#needsHttp = transport === "http";
    if (ending === "stopped") return;
    const { overHls } = selection;
    const isEmpty = !gotMedia && (ending === "lost" || (overHls && ending === "absent"));
    this.#emptyAttempts = isEmpty ? this.#emptyAttempts + 1 : 0;
    const isHopeless = this.#emptyAttempts >= EMPTY_ATTEMPTS_MAX;
    if (overHls && !gotMedia && (isHopeless || ending === "failed")) {
      this.#obstacles.hls = true;
      this.#emptyAttempts = 0;
    } else if (!overHls && isHopeless && codec && isPerhapsInFlv(codec)) this.#obstacles.inFlv.add(codec);
    if (ending !== "lost") this.#way = this.#first();
    else if (!gotMedia && !overHls) this.#way = this.#next(transport, isHopeless);
  }

  /** The way that is best where none is known to be broken. */
  #first(): Transport {
    return this.#needsHttp || this.#way === "hls" ? this.#way : "ws";
  }

  /** The way that is tried next where one has brought nothing. */
  #next(transport: Transport, isHopeless: boolean): Transport {
    if (!this.hasMse) return "hls";
    if (transport === "ws") return "http";
    // Neither did the other: HLS comes through where nothing that lasts does.
    return transport === "http" && isHopeless ? "hls" : "ws";
  }
}
