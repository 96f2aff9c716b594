/**
 * mpegts.js, with two faults of its version 1.8.2 mended. It is taken as sources, for what it is built into shows nothing
 * of its parts.
 *
 * It takes the head of FLAC's STREAMINFO for a part of it: Enhanced RTMP has `fLaC` and the metadata block's head before it,
 * eight bytes, and it skips four.
 *
 * It holds the last sample of a track back until the next tells how long it lasts. Where the configuration changes between the
 * two (a phone that is turned), the picture comes behind the new configuration: its decoder can't use it, the browser drops it, and
 * the pictures have a gap; the sound plays on, and in Chromium the picture may wait at that gap for good. Here the new
 * configuration waits for its first sample. That tells how long the last one before it lasts, and there is no gap.
 */
import FlvDemuxer from "mpegts.js/src/demux/flv-demuxer.js";
import mpegts from "mpegts.js/src/mpegts.js";
import Mp4Remuxer, { type Sample, type Track } from "mpegts.js/src/remux/mp4-remuxer.js";

const SKIPPED_OF_FLAC_BYTES = 4;

const { _parseFlacSequenceHeader } = FlvDemuxer.prototype;
FlvDemuxer.prototype._parseFlacSequenceHeader = function (bytes, at, length) {
  _parseFlacSequenceHeader.call(this, bytes, at + SKIPPED_OF_FLAC_BYTES, length - SKIPPED_OF_FLAC_BYTES);
};

/** A configuration that waits for its first sample, and what is left of the one before. */
interface Waiting {
  metadata: object;
  before: Sample[];
}

const KINDS = ["audio", "video"] as const;
type Kind = (typeof KINDS)[number];
const METHODS = { video: "_remuxVideo", audio: "_remuxAudio" } as const;
const STASHES = { video: "_videoStashedLastSample", audio: "_audioStashedLastSample" } as const;

const waiting = { video: new WeakMap<Mp4Remuxer, Waiting>(), audio: new WeakMap<Mp4Remuxer, Waiting>() };
/** The demuxer's tracks, each with what the remuxer has left in it. */
const tracks = { video: new WeakMap<Mp4Remuxer, Track>(), audio: new WeakMap<Mp4Remuxer, Track>() };

const { _onTrackMetadataReceived, flushStashedSamples, remux, seek } = Mp4Remuxer.prototype;
Mp4Remuxer.prototype._onTrackMetadataReceived = function (type, described) {
  // The demuxer writes the next configuration into the same object.
  const metadata = { ...described };
  const kind: Kind = type === "audio" ? "audio" : "video";
  const before = [...(waiting[kind].get(this)?.before ?? []), ...takeRest(this, kind)];
  if (before.length === 0) _onTrackMetadataReceived.call(this, type, metadata);
  else waiting[kind].set(this, { metadata, before });
};

Mp4Remuxer.prototype.remux = function (audio, video) {
  if (audio) tracks.audio.set(this, audio);
  if (video) tracks.video.set(this, video);
  remux.call(this, audio, video);
};

Mp4Remuxer.prototype.seek = function (originalDts) {
  for (const kind of KINDS) {
    const held = waiting[kind].get(this);
    waiting[kind].delete(this);
    if (held) _onTrackMetadataReceived.call(this, kind, held.metadata);
  }
  seek.call(this, originalDts);
};

Mp4Remuxer.prototype.flushStashedSamples = function () {
  for (const kind of KINDS) {
    const last = waiting[kind].get(this)?.before.at(-1);
    waiting[kind].delete(this);
    // It is over: no sample of that configuration comes any more.
    if (last) this[STASHES[kind]] = last;
  }
  flushStashedSamples.call(this);
};

for (const kind of KINDS) {
  const write = Mp4Remuxer.prototype[METHODS[kind]];
  Mp4Remuxer.prototype[METHODS[kind]] = function (track, force) {
    const held = waiting[kind].get(this);
    const [first] = track.samples;
    if (held && first) {
      waiting[kind].delete(this);
      // The first of the new ones goes along for its time, is held back as any last one, and is written with its own.
      const samples = [...held.before, first];
      const ending = { ...track, samples, length: samples.reduce((sum, sample) => sum + sample.length, 0) };
      write.call(this, ending);
      this[STASHES[kind]] = null;
      track.sequenceNumber = ending.sequenceNumber;
      _onTrackMetadataReceived.call(this, kind, held.metadata);
    }
    write.call(this, track, force);
  };
}

/** What the remuxer holds back of the track, and what it has left to the demuxer. */
function takeRest(remuxer: Mp4Remuxer, kind: Kind): Sample[] {
  const stashed = remuxer[STASHES[kind]];
  const track = tracks[kind].get(remuxer);
  remuxer[STASHES[kind]] = null;
  if (track) track.length = 0;
  return [...(stashed ? [stashed] : []), ...(track?.samples.splice(0) ?? [])];
}

export default mpegts;
