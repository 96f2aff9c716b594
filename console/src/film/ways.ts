/**
 * In which ways this browser can be shown a film, best first, decided from the tracks that the API names before a
 * byte of the film is asked for. Pure but for the questions put to the browser, which are arguments.
 *
 *     file    the file itself, by Range: what the browser plays without help
 *     hls     cut into segments by the server: FLV, several sound tracks to choose from
 *     flv     through mpegts.js, should both fail
 */
import type { Film, FilmTrack } from "../shared/api.ts";
import { cannotPlay, codecName, codecOf, type Failure } from "../watch/support.ts";

export type Way =
  | { kind: "file"; url: string }
  /** `several`: there are sound tracks to choose from, which needs the whole of hls.js. */
  | { kind: "hls"; url: string; several: boolean }
  | { kind: "flv"; url: string; video: boolean; audio: boolean };

export interface Abilities {
  /** `canPlayType` of a `<video>`, as yes or no. */
  plays(type: string): boolean;
  /** `MediaSource.isTypeSupported`; always no without Media Source Extensions. */
  feeds(type: string): boolean;
}

export type Verdict =
  | { kind: "play"; ways: Way[]; /** What will be missing, in words, or empty. */ missing: string; soundOnly: boolean }
  | { kind: "refuse"; failure: Failure };

const MP4 = /\.(mp4|m4v|mov|f4v)$/i;
/** What `flv` can carry and mpegts.js takes out of it. */
const IN_FLV = /^(avc[13]|hvc1|hev1|av01|mp4a|mp3|opus)/i;
export const PLAYLIST = "application/vnd.apple.mpegurl";

export function judgeFilm(film: Film, can: Abilities): Verdict {
  if (film.error) return { kind: "refuse", failure: unreadable(film.error) };
  const video = film.tracks?.find((track) => track.kind === "video") ?? null;
  const audios = film.tracks?.filter((track) => track.kind === "audio") ?? [];
  const audio = audios[0] ?? null;
  if (!video && !audio) return { kind: "refuse", failure: unreadable("There is neither picture nor sound in it.") };

  const by = (ask: (type: string) => boolean) => ({ video: video !== null && takes(video, ask), audio: audio !== null && takes(audio, ask) });
  const [native, fed] = [by(can.plays), by(can.feeds)];
  const inMp4 = MP4.test(film.name);
  const whole = ({ video: v, audio: a }: { video: boolean; audio: boolean }) => (v || !video) && (a || !audio);

  const ways: Way[] = [];
  const file: Way = { kind: "file", url: film.urls.file };
  const hls: Way = { kind: "hls", url: film.urls.hls, several: audios.length > 1 };
  const flv: Way = { kind: "flv", url: film.urls.flv, ...fed };
  const inFlv = [video, audio].every((track) => !track || IN_FLV.test(codecOf(track) ?? ""));
  if (inMp4 && whole(native)) ways.push(file);
  if (whole(fed)) ways.push(hls);
  if (hls.several && ways[0] === file && ways[1] === hls) ways.reverse();
  if (!whole(fed) && whole(native) && can.plays(PLAYLIST)) ways.push({ kind: "file", url: film.urls.hls });
  if (inFlv && whole(fed)) ways.push(flv);
  if (ways.length > 0) return { kind: "play", ways, missing: "", soundOnly: !video };
  return inPart(video, audio, inMp4 ? native : fed, inMp4 ? file : flv);
}

/** Picture without sound, or sound without picture, is better than nothing, as long as it is said. */
function inPart(video: FilmTrack | null, audio: FilmTrack | null, plays: { video: boolean; audio: boolean }, way: Way): Verdict {
  if (plays.video && audio) {
    return { kind: "play", ways: [way], missing: `Picture only: this browser can’t play ${codecName(audio.codec)} sound.`, soundOnly: false };
  }
  if (plays.audio && video) {
    return { kind: "play", ways: [way], missing: `Sound only: this browser can’t play ${codecName(video.codec)}.`, soundOnly: true };
  }
  const codecs = [video?.codec, audio?.codec].filter((codec) => codec !== undefined).map(codecName);
  const failure = cannotPlay(codecs.join(" or "));
  return { kind: "refuse", failure: { ...failure, detail: "The film itself is fine. Another browser may play it; mpv and VLC will, from the address below." } };
}

function takes(track: FilmTrack, ask: (type: string) => boolean): boolean {
  const codec = codecOf(track);
  if (codec === null) return false;
  // A name never heard of may be a codec that the server knows and this page does not.
  if (codec === undefined) return true;
  const names = /^(mp3|mp4a\.(6b|69|40\.34))$/i.test(codec) ? ["mp4a.6B", "mp3"] : [codec];
  return names.some((name) => ask(`${track.kind}/mp4; codecs="${name}"`));
}

function unreadable(reason: string): Failure {
  return { title: "This film can’t be read", detail: reason.slice(0, 400), elsewhere: false };
}

export const MAY_NOT: Failure = {
  title: "You may not watch this film",
  detail: "The server refused. If you were given a link, check that it is complete.",
  elsewhere: false,
};

export const SERVER_AWAY: Failure = {
  title: "The server does not answer",
  detail: "Trying again until it does; the film goes on where it stopped.",
  elsewhere: false,
};

export const BROKE_OFF: Failure = {
  title: "The film can’t be played on",
  detail: "This browser stumbled over it in every way there is. Try again, or play the file in mpv or VLC.",
  elsewhere: true,
};
