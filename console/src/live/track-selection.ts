/**
 * What this browser can play of a stream, decided from the codecs that the API names, before a byte of media is
 * asked for; and every way in which playing can fail, in words for a person. Pure but for the question put to
 * the browser, which is an argument.
 */
import type { Stream } from "../shared/api.ts";
import { codecName, codecOf, isMp3 } from "../shared/player/codecs.ts";
import { cannotPlay, type Failure } from "../shared/player/failure.ts";

/** Which tracks the player asks for. `null`: the API did not say; the flags in the FLV header decide. */
export interface TrackSelection {
  video: boolean | null;
  audio: boolean | null;
  /** What will be missing, in words; empty when nothing is. */
  missing: string;
}

export type SelectionResult = { kind: "play"; selection: TrackSelection } | { kind: "refuse"; failure: Failure };

/** `MediaSource.isTypeSupported`, or a stand-in for it in tests. */
export type IsTypeSupported = (type: string) => boolean;

/** What the FLV demuxer in the page understands, whatever the browser could decode. */
const VIDEO_IN_FLV = /^(avc[13]|hvc1|hev1|av01)/;
const AUDIO_IN_FLV = /^(mp4a|mp3|opus|flac)/i;

export function selectTracks(stream: Stream | null, canPlay: IsTypeSupported): SelectionResult {
  const { video = null, audio = null } = stream ?? {};
  if (!video && !audio) return { kind: "play", selection: { video: null, audio: null, missing: "" } };

  const videoPlays = video !== null && playable(video, VIDEO_IN_FLV, "video/mp4", canPlay);
  const audioPlays = audio !== null && playable(audio, AUDIO_IN_FLV, "audio/mp4", canPlay);
  const bad = [video && !videoPlays ? video.codec : "", audio && !audioPlays ? audio.codec : ""].filter(Boolean);
  if (!videoPlays && !audioPlays) return { kind: "refuse", failure: cannotPlay(bad.join(" or ")) };

  const missing =
    video && !videoPlays
      ? `Sound only: this browser can’t play ${codecName(video.codec)}.`
      : audio && !audioPlays
        ? `Picture only: this browser can’t play ${codecName(audio.codec)} sound.`
        : "";
  return { kind: "play", selection: { video: videoPlays, audio: audioPlays, missing } };
}

function playable(track: { codec: string; codec_string: string | null }, inFlv: RegExp, container: string, canPlay: IsTypeSupported): boolean {
  const codec = codecOf(track);
  // A name never heard of may be a codec that the server knows and this page does not.
  if (codec === undefined) return true;
  if (codec === null || !inFlv.test(codec)) return false;
  if (isMp3(codec)) return canPlay("audio/mpeg") || canPlay(`${container}; codecs="mp3"`);
  return canPlay(`${container}; codecs="${codec}"`);
}

export const NO_MEDIA_SOURCE: Failure = {
  title: "This browser can’t play live streams in a page",
  detail: "It has no Media Source Extensions. Another browser will do; so will VLC, mpv and ffplay.",
  elsewhere: true,
};

export const BAD_ADDRESS: Failure = {
  title: "This address names no stream",
  detail: "A watch page is at /watch/APP/NAME, for example /watch/live/demo.",
  elsewhere: false,
};
