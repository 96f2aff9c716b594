/** The sources of mpegts.js that `mpegts.ts` takes: its package describes only the whole. */
declare module "mpegts.js/src/mpegts.js" {
  export { default } from "mpegts.js";
}

declare module "mpegts.js/src/demux/flv-demuxer.js" {
  export default class FLVDemuxer {
    _parseFlacSequenceHeader(bytes: ArrayBuffer, at: number, length: number): void;
  }
}

declare module "mpegts.js/src/remux/mp4-remuxer.js" {
  export interface Sample {
    dts: number;
    length: number;
  }
  /** What the demuxer has parsed and the remuxer has not taken yet. */
  export interface Track {
    samples: Sample[];
    length: number;
    sequenceNumber: number;
  }
  export default class MP4Remuxer {
    _videoStashedLastSample: Sample | null;
    _audioStashedLastSample: Sample | null;
    remux(audio: Track | null, video: Track | null): void;
    seek(originalDts: number): void;
    flushStashedSamples(): void;
    _onTrackMetadataReceived(type: string, metadata: object): void;
    _remuxVideo(track: Track, force?: boolean): void;
    _remuxAudio(track: Track, force?: boolean): void;
  }
}
