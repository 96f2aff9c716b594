/**
 * What this browser can play of a stream, decided from the codecs that the API names, before a byte of media is
 * asked for; and every way in which playing can fail, in words for a person. Pure but for the question put to
 * the browser, which is an argument.
 */
import type { Stream } from "../shared/api.ts";
import { codecName, codecOf, isMp3 } from "../shared/player/codecs.ts";
import { cannotPlay, type Failure } from "../shared/player/failure.ts";
import { t } from "../shared/language.ts";

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
  if (!videoPlays && !audioPlays) return { kind: "refuse", failure: cannotPlay(bad.join(t(" or ", " 或 "))) };

  const missing =
    video && !videoPlays
      ? t(`Sound only: this browser can’t play ${codecName(video.codec)}.`, `只有声音：此浏览器无法播放 ${codecName(video.codec)}。`)
      : audio && !audioPlays
        ? t(`Picture only: this browser can’t play ${codecName(audio.codec)} sound.`, `只有画面：此浏览器无法播放 ${codecName(audio.codec)} 声音。`)
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
  title: t("This browser can’t play live streams in a page", "此浏览器无法在网页中播放直播"),
  detail: t("It has no Media Source Extensions. Another browser will do; so will VLC, mpv and ffplay.", "它没有媒体源扩展 (MSE)。请换一个浏览器，或使用 VLC、mpv、ffplay。"),
  elsewhere: true,
};

export const BAD_ADDRESS: Failure = {
  title: t("This address names no stream", "此地址没有指明直播"),
  detail: t("A watch page is at /watch/APP/NAME, for example /watch/live/demo.", "观看页面的地址是 /watch/应用/名称，例如 /watch/live/demo。"),
  elsewhere: false,
};
