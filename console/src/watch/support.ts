/**
 * What this browser can play of a stream, decided from the codecs that the API names, before a byte of media is
 * asked for; and every way in which playing can fail, in words for a person. Pure but for the question put to
 * the browser, which is an argument.
 */
import type { Stream } from "../shared/api.ts";

/** Which tracks the player asks for. `null`: the API did not say; the flags in the FLV header decide. */
export interface Plan {
  video: boolean | null;
  audio: boolean | null;
  /** What will be missing, in words; empty when nothing is. */
  missing: string;
}

export interface Failure {
  title: string;
  detail: string;
  /** Another player would do: show the addresses to copy. */
  elsewhere: boolean;
}

export type Judgement = { kind: "play"; plan: Plan } | { kind: "refuse"; failure: Failure };

/** `MediaSource.isTypeSupported`, or a stand-in for it in tests. */
export type CanPlay = (type: string) => boolean;

/**
 * What the FLV demuxer in the page understands, whatever the browser could decode. FLAC it takes only with a
 * configuration that ffmpeg would not take, and servers send the one that the specification describes.
 */
const VIDEO_IN_FLV = /^(avc[13]|hvc1|hev1|av01)/;
const AUDIO_IN_FLV = /^(mp4a|mp3|opus)/i;

/** For a codec that the server names but does not look into: what to ask the browser for instead. */
const TYPICAL: Record<string, string> = {
  "H.264": "avc1.42c01e",
  "H.265": "hvc1.1.6.L93.B0",
  AV1: "av01.0.04M.08",
  AAC: "mp4a.40.2",
  MP3: "mp3",
  Opus: "opus",
  FLAC: "flac",
};
/** What FLV carried in its first years; no browser ever played it without a plug-in. */
const KNOWN_TO_FAIL = /H\.263|Screen video|VP6|PCM|G\.711|Nellymoser|Speex|^FLV /;

export function judge(stream: Stream | null, canPlay: CanPlay): Judgement {
  const { video = null, audio = null } = stream ?? {};
  if (!video && !audio) return { kind: "play", plan: { video: null, audio: null, missing: "" } };

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
  return { kind: "play", plan: { video: videoPlays, audio: audioPlays, missing } };
}

/** What to ask the browser for, for this track; `undefined` where nobody knows, `null` where none will do. */
export function codecOf(track: { codec: string; codec_string: string | null }): string | null | undefined {
  return track.codec_string || (TYPICAL[track.codec] ?? (KNOWN_TO_FAIL.test(track.codec) ? null : undefined));
}

function playable(track: { codec: string; codec_string: string | null }, inFlv: RegExp, container: string, canPlay: CanPlay): boolean {
  const codec = track.codec_string || TYPICAL[track.codec];
  // A name never heard of may be a codec that the server knows and this page does not.
  if (codec === undefined) return !KNOWN_TO_FAIL.test(track.codec);
  if (!inFlv.test(codec)) return false;
  if (/^(mp3|mp4a\.(6b|69|40\.34))$/i.test(codec)) return canPlay("audio/mpeg") || canPlay(`${container}; codecs="mp3"`);
  return canPlay(`${container}; codecs="${codec}"`);
}

export function cannotPlay(codec: string): Failure {
  return {
    title: codec ? `This browser can’t play ${codecName(codec)}` : "This browser can’t play this stream",
    detail: "The stream itself is fine. Another browser may play it; mpv and ffplay will.",
    elsewhere: true,
  };
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

export const NO_SUCH_FILM: Failure = {
  title: "There is no film of this name",
  detail: "It may have been renamed or removed. Should it come, it starts here by itself.",
  elsewhere: false,
};

export const NOT_ALLOWED: Failure = {
  title: "You may not watch this stream",
  detail: "The server refused. If you were given a link, check that it is complete.",
  elsewhere: false,
};

/** A codec name comes from the server, which had it from a stranger: never more than a few words of it. */
export function codecName(codec: string): string {
  return codec.slice(0, 40);
}
