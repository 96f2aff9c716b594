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
  /** The browser plays more of it than the page gets out of FLV: it comes over HLS. */
  overHls: boolean;
}

export type SelectionResult = { kind: "play"; selection: TrackSelection } | { kind: "refuse"; failure: Failure };

/** `MediaSource.isTypeSupported`, or a stand-in for it in tests. */
export type IsTypeSupported = (type: string) => boolean;

/** What does not come through on a way, as the page has found out. */
export interface Obstacles {
  /** Codecs that mpegts.js did not get out of FLV. */
  inFlv: ReadonlySet<string>;
  /** Nothing came over HLS. */
  hls: boolean;
}

/** What the FLV demuxer in the page understands, whatever the browser could decode. */
const IN_FLV = /^(avc[13]|hvc1|hev1|av01|mp4a|mp3|opus|flac)/i;
/** Of AV1 it reads what some encoders make, and throws at the keyframes of others. */
const PERHAPS_IN_FLV = /^av01/;

/** Whether only trying shows that the demuxer reads a track of this codec. */
export function isPerhapsInFlv(codec: string): boolean {
  return PERHAPS_IN_FLV.test(codec);
}

export function selectTracks(stream: Stream | null, canPlay: IsTypeSupported, obstacles: Obstacles = { inFlv: new Set(), hls: false }): SelectionResult {
  const { video = null, audio = null } = stream ?? {};
  if (!video && !audio) return { kind: "play", selection: { video: null, audio: null, missing: "", overHls: false } };

  const over = (comes: (codec: string) => boolean) => ({
    video: video !== null && playable(video, comes, "video/mp4", canPlay),
    audio: audio !== null && playable(audio, comes, "audio/mp4", canPlay),
  });
  const decoded = over(() => true);
  // HLS is made of the window, and its players leave a stream alone of which they can't decode one track.
  const hasHls = Boolean(stream?.window) && !obstacles.hls && decoded.video === (video !== null) && decoded.audio === (audio !== null);
  const flv = over((codec) => IN_FLV.test(codec) && !obstacles.inFlv.has(codec) && !(hasHls && isPerhapsInFlv(codec)));
  const overHls = hasHls && (decoded.video !== flv.video || decoded.audio !== flv.audio);
  const plays = overHls ? decoded : flv;
  const bad = [video && !plays.video ? video.codec : "", audio && !plays.audio ? audio.codec : ""].filter(Boolean);
  if (!plays.video && !plays.audio) return { kind: "refuse", failure: cannotPlay(bad.join(t(" or ", " 或 "))) };

  const missing =
    video && !plays.video
      ? decoded.video
        ? t(`Sound only: no ${codecName(video.codec)} comes through to this page.`, `只有声音：此页面无法获取 ${codecName(video.codec)}。`)
        : t(`Sound only: this browser can’t play ${codecName(video.codec)}.`, `只有声音：此浏览器无法播放 ${codecName(video.codec)}。`)
      : audio && !plays.audio
        ? decoded.audio
          ? t(`Picture only: no ${codecName(audio.codec)} sound comes through to this page.`, `只有画面：此页面无法获取 ${codecName(audio.codec)} 声音。`)
          : t(`Picture only: this browser can’t play ${codecName(audio.codec)} sound.`, `只有画面：此浏览器无法播放 ${codecName(audio.codec)} 声音。`)
        : "";
  return { kind: "play", selection: { ...plays, missing, overHls } };
}

function playable(
  track: { codec: string; codec_string: string | null },
  comes: (codec: string) => boolean,
  container: string,
  canPlay: IsTypeSupported,
): boolean {
  const codec = codecOf(track);
  // A name never heard of may be a codec that the server knows and this page does not.
  if (codec === undefined) return true;
  if (codec === null || !comes(codec)) return false;
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
