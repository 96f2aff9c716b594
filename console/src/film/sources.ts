/**
 * From which sources this browser can play a film, best first, decided from the tracks that the API names before a
 * byte of the film is asked for. Pure but for the questions put to the browser, which are arguments.
 *
 *     file    the file itself, by Range: what the browser plays without help
 *     hls     cut into segments by the server: FLV, several sound tracks to choose from, what changes in the middle
 *     flv     through mpegts.js, should both fail
 */
import type { Film, FilmCodec, FilmTrack } from "../shared/api.ts";
import { codecName, codecOf, isMp3 } from "../shared/player/codecs.ts";
import { cannotPlay, type Failure } from "../shared/player/failure.ts";
import { t } from "../shared/language.ts";

export type Source =
  | { kind: "file"; url: string }
  | { kind: "hls"; url: string }
  | { kind: "flv"; url: string; video: boolean; audio: boolean };

export interface Capabilities {
  /** `canPlayType` of a `<video>`, as yes or no. */
  canPlayType(type: string): boolean;
  /** `MediaSource.isTypeSupported`; always no without Media Source Extensions. */
  isTypeSupported(type: string): boolean;
}

export type Selection =
  | { kind: "play"; sources: Source[]; /** What will be missing, in words, or empty. */ missing: string; soundOnly: boolean }
  | { kind: "refuse"; failure: Failure };

const MP4 = /\.(mp4|m4v|mov|f4v|m4a)$/i;
/** What `flv` can carry and mpegts.js takes out of it. */
const IN_FLV = /^(avc[13]|hvc1|hev1|av01|mp4a|mp3|opus)/i;
const PLAYLIST = "application/vnd.apple.mpegurl";

export function selectSources(film: Film, can: Capabilities): Selection {
  if (film.error) return { kind: "refuse", failure: unreadable(film.error) };
  const video = film.tracks?.find((track) => track.kind === "video") ?? null;
  const audios = film.tracks?.filter((track) => track.kind === "audio") ?? [];
  const audio = audios[0] ?? null;
  if (!video && !audio) return { kind: "refuse", failure: unreadable(t("There is neither picture nor sound in it.", "里面既没有画面也没有声音。")) };

  const playable = (ask: (type: string) => boolean) => ({ video: video !== null && isPlayable(video, ask), audio: audio !== null && isPlayable(audio, ask) });
  const [native, mse] = [playable(can.canPlayType), playable(can.isTypeSupported)];
  const inMp4 = MP4.test(film.name);
  const complete = ({ video: v, audio: a }: { video: boolean; audio: boolean }) => (v || !video) && (a || !audio);

  const sources: Source[] = [];
  const file: Source = { kind: "file", url: film.urls.file };
  const hls: Source = { kind: "hls", url: film.urls.hls };
  const flv: Source = { kind: "flv", url: film.urls.flv, ...mse };
  const inFlv = [video, audio].every((track) => !track || IN_FLV.test(codecOf(track) ?? ""));
  if (inMp4 && complete(native)) sources.push(file);
  if (complete(mse)) sources.push(hls);
  // Chromium stumbles over another size in a file.
  if ((audios.length > 1 || film.changes) && sources[0] === file && sources[1] === hls) sources.reverse();
  if (!complete(mse) && complete(native) && can.canPlayType(PLAYLIST)) sources.push({ kind: "file", url: film.urls.hls });
  if (inFlv && complete(mse)) sources.push(flv);
  if (sources.length > 0) return { kind: "play", sources, missing: "", soundOnly: !video };
  const lacking = lackingInChanges([video, audio], inMp4 ? can.canPlayType : can.isTypeSupported);
  if (lacking.length > 0) return refuse(lacking);
  return selectPart(video, audio, inMp4 ? native : mse, inMp4 ? file : flv);
}

/** Picture without sound, or sound without picture, is better than nothing, as long as it is said. */
function selectPart(video: FilmTrack | null, audio: FilmTrack | null, plays: { video: boolean; audio: boolean }, source: Source): Selection {
  if (plays.video && audio) {
    return { kind: "play", sources: [source], missing: t(`Picture only: this browser can’t play ${codecName(audio.codec)} sound.`, `只有画面：此浏览器无法播放 ${codecName(audio.codec)} 声音。`), soundOnly: false };
  }
  if (plays.audio && video) {
    return { kind: "play", sources: [source], missing: t(`Sound only: this browser can’t play ${codecName(video.codec)}.`, `只有声音：此浏览器无法播放 ${codecName(video.codec)}。`), soundOnly: true };
  }
  return refuse([video?.codec, audio?.codec].filter((codec) => codec !== undefined));
}

function refuse(codecs: string[]): Selection {
  const failure = cannotPlay(codecs.map(codecName).join(t(" or ", " 或 ")));
  return { kind: "refuse", failure: { ...failure, detail: t("The film itself is fine. Another browser may play it; mpv and VLC will, from the address below.", "影片本身没有问题。换一个浏览器也许可以播放；mpv 和 VLC 可以用下面的地址播放。") } };
}

/**
 * The codecs that a track takes, or leaves, in the middle and that the browser lacks: such a track can neither be played
 * through nor left out.
 */
function lackingInChanges(tracks: (FilmTrack | null)[], ask: (type: string) => boolean): string[] {
  const lacking = tracks.flatMap((track) => (track?.later_codecs?.length ? codecsOf(track).filter((codec) => !isCodecPlayable(track.kind, codec, ask)) : []));
  return [...new Set(lacking.map(({ codec }) => codec))];
}

const codecsOf = (track: FilmTrack): FilmCodec[] => [track, ...(track.later_codecs ?? [])];

/** From its first moment to its last. */
function isPlayable(track: FilmTrack, ask: (type: string) => boolean): boolean {
  return codecsOf(track).every((codec) => isCodecPlayable(track.kind, codec, ask));
}

function isCodecPlayable(kind: string, track: FilmCodec, ask: (type: string) => boolean): boolean {
  const codec = codecOf(track);
  if (codec === null) return false;
  // A name never heard of may be a codec that the server knows and this page does not.
  if (codec === undefined) return true;
  const names = isMp3(codec) ? ["mp4a.6B", "mp3"] : [codec];
  return names.some((name) => ask(`${kind}/mp4; codecs="${name}"`));
}

function unreadable(reason: string): Failure {
  return { title: t("This film can’t be read", "此影片无法读取"), detail: reason.slice(0, 400), elsewhere: false };
}

export const FILM_NOT_ALLOWED: Failure = {
  title: t("You may not watch this film", "您无权观看此影片"),
  detail: t("The server refused. If you were given a link, check that it is complete.", "服务器拒绝了请求。如果您是通过链接来的，请检查链接是否完整。"),
  elsewhere: false,
};

export const SERVER_SILENT: Failure = {
  title: t("The server does not answer", "服务器没有响应"),
  detail: t("Trying again until it does; the film goes on where it stopped.", "正在不断重试；影片会从停下的地方继续。"),
  elsewhere: false,
};

export const NO_SOURCE_LEFT: Failure = {
  title: t("The film can’t be played on", "影片无法继续播放"),
  detail: t("This browser stumbled over it in every way there is. Try again, or play the file in mpv or VLC.", "此浏览器用各种方式都无法播放它。请重试，或用 mpv、VLC 播放文件。"),
  elsewhere: true,
};
