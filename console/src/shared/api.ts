/**
 * The server's API as the pages use it: types and the questions they ask. Nothing here keeps state.
 * The types follow `GET /api/v1/…`; a field that the server does not know (yet) is `null`, never left out.
 */
import { withQuery } from "./address.ts";
import { t } from "./language.ts";

export interface ServerInfo {
  version: string;
  rtmp_port: number;
  http_port: number;
  /** Whether pages of other origins may show the watch page in a frame. */
  embeddable: boolean;
}

/** What publishing takes, for an admin. */
export interface Access {
  /** From where the page was opened; and from other machines than the server's own. */
  key_needed: boolean;
  key_needed_elsewhere: boolean;
  publish_key: string;
  /** Of who has logged in; `null` for who needs no login. */
  session_ends_in_ms: number | null;
}

export interface VideoTrack {
  /** For people: `H.264`. */
  codec: string;
  /** For `MediaSource.isTypeSupported`: `avc1.42c01e`. */
  codec_string: string | null;
  width: number | null;
  height: number | null;
  /** Frames per second. */
  frame_rate: number | null;
}

export interface AudioTrack {
  codec: string;
  codec_string: string | null;
  /** Hertz. */
  sample_rate: number | null;
  channels: number | null;
}

export interface Publisher {
  address: string;
  agent: string;
  protocol: string;
}

export interface LeftOut {
  reason: string;
  messages: number;
}

/** What is wrong with what a publisher sends. */
export type Finding =
  | { kind: "no_keyframe"; for_ms: number }
  | { kind: "keyframes_far"; every_ms: number }
  | { kind: "silent"; track: "audio" | "video"; for_ms: number }
  | { kind: "apart"; audio_ahead_ms: number }
  | { kind: "pace"; permille: number }
  /** `by_ms`: `null` where the clock began anew. */
  | { kind: "jumped"; by_ms: number | null; ago_ms: number; times: number };

export interface Stream {
  app: string;
  name: string;
  /** `<app>/<name>`, not percent-encoded. */
  path: string;
  /** `waiting`: there are viewers, but no publisher yet. `paused`: the publisher is away and may come back. */
  state: "live" | "waiting" | "paused" | "ended";
  uptime_ms: number;
  viewers: number;
  bitrate_bps: number;
  bytes_in: number;
  frames_in: number;
  /** What the publisher sends and nobody can use, and why. */
  left_out: LeftOut[];
  health: Finding[];
  video: VideoTrack | null;
  audio: AudioTrack | null;
  publisher: Publisher | null;
  /** Where there is a picture of it, once one can be made. */
  thumbnail?: string | null;
  /** What can be gone back to; `start_ms`: where who asks for `start` begins. Milliseconds behind the broadcast's begin. */
  window?: { from_ms: number; to_ms: number; start_ms?: number } | null;
  /** Whether streams of its app are recorded; only admins are told. */
  record?: "never" | "on-demand" | "always" | null;
  /** How its recording is, if it is to be recorded; only admins are told. */
  recording?: "growing" | "awaits-keyframe" | "awaits-disk" | null;
}

/** A recording that grows. */
export interface Growing {
  /** The path of the stream. */
  stream: string;
  app: string;
  name: string;
  url: string;
  /** RFC 3339; `null` where the disk does not tell. */
  since: string | null;
}

/** A span of a stream or film, in seconds from its beginning. */
export interface Span {
  from: number;
  until: number;
}

export interface FilmCodec {
  codec: string;
  codec_string: string | null;
}

export interface FilmTrack extends FilmCodec {
  /** `video`, `audio`, or something that no page shows. */
  kind: string;
  index: number;
  /** What else it is in the middle, where it changes. */
  later_codecs?: FilmCodec[];
  width?: number | null;
  height?: number | null;
  frame_rate?: number | null;
  sample_rate?: number | null;
  channels?: number | null;
  /** As the file says it: `eng`, `de`; none or `und` where it does not say. */
  language?: string | null;
  /** Bits per second. */
  bitrate?: number | null;
}

export interface Subtitle {
  language: string | null;
  name: string;
  url: string;
}

export interface FilmUrls {
  file: string;
  hls: string;
  flv: string;
  rtmp: string;
  /** Of films whose key frames the server can draw. */
  thumbnail?: string;
  sprite?: string;
  watch: string;
}

/** A film, as `GET /api/v1/films/<app>/<name>` tells of it. */
export interface Film {
  app: string;
  /** Below the app's folder, with its extension: `sub/film.mp4`. */
  name: string;
  bytes: number;
  /** RFC 3339. */
  modified: string;
  /** Seconds. Missing, as are the tracks, where the file can't be read: then `error` says why. */
  duration?: number;
  tracks?: FilmTrack[];
  /** Size, codec or the like change in the middle; `tracks` are as they are at first. */
  changes?: boolean;
  subtitles?: Subtitle[];
  /** What is wrong with the file, in words. */
  notes?: string[];
  error?: string;
  /** It is a recording that grows: neither removed nor renamed. */
  growing?: boolean;
  /** Of a file of another container: which, and the line that makes a film of it. */
  container?: string;
  command?: string;
  urls: FilmUrls;
}

export interface Catalogue {
  films: Film[];
  /** How many there are in all that fit the search. */
  total: number;
}

/** What came of asking for one film. `refused`: the server answered with `status` and, mostly, a sentence. */
export type FilmLookup =
  | { kind: "found"; film: Film }
  | { kind: "absent" | "silent" }
  | { kind: "refused"; status: number; reason: string };

/** What came of asking for one stream. `unknown`: the server would not say. `silent`: it did not answer at all. */
export type Lookup = { kind: "found"; stream: Stream } | { kind: "absent" | "unknown" | "silent" };

/** The server answered, but not with what was asked for. */
export class HttpError extends Error {
  readonly status: number;
  /** What the server said, if it said it in a sentence; else empty. */
  readonly reason: string;

  constructor(status: number, reason = "") {
    super(
      status === 401
        ? t("The server asks for its admin token before it shows this.", "服务器需要管理令牌才能显示此内容。")
        : reason || t(`The server answered with status ${status}.`, `服务器返回状态 ${status}。`),
    );
    this.status = status;
    this.reason = reason;
  }
}

const TIMEOUT_MS = 5000;
const FILM_TIMEOUT_MS = 60_000;

export function fetchInfo(): Promise<ServerInfo> {
  return getJson<ServerInfo>("/api/v1/info");
}

export function fetchAccess(): Promise<Access> {
  return getJson<Access>("/api/v1/access");
}

/** Ends the session. */
export async function logOut(): Promise<void> {
  const response = await fetch("/logout", { method: "POST", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
  // The answer leads to the login page, where the page that asked goes by itself.
  if (!response.ok && response.type !== "opaqueredirect") throw new HttpError(response.status);
}

/** All streams, page by page. */
export async function fetchStreams(): Promise<Stream[]> {
  const streams: Stream[] = [];
  let next: string | null = null;
  do {
    const query: string = next === null ? "" : `?after=${encodeURIComponent(next)}`;
    const page: { streams: Stream[]; next?: string | null } = await getJson(`/api/v1/streams${query}`);
    streams.push(...page.streams);
    next = page.next ?? null;
  } while (next !== null);
  return streams;
}

/** `url` with the question for `null` in place of 404, which a browser notes in red however often it is expected. */
const orNull = (url: string) => withQuery(url, "?absent=null");

/** Never throws: not knowing is an answer too, and the player goes on without it. */
export async function lookUp(encodedPath: string, query = ""): Promise<Lookup> {
  try {
    const stream = await getJson<Stream | null>(orNull(`/api/v1/streams/${encodedPath}${query}`));
    return stream ? { kind: "found", stream } : { kind: "absent" };
  } catch (error) {
    if (error instanceof HttpError) return { kind: error.status === 404 ? "absent" : "unknown" };
    return { kind: error instanceof SyntaxError ? "unknown" : "silent" };
  }
}

/** Never throws. A film that is asked for the first time is read first: that may take a while. */
export async function lookUpFilm(encodedPath: string, query = ""): Promise<FilmLookup> {
  try {
    const film = await getJson<Film | null>(orNull(`/api/v1/films/${encodedPath}${query}`), FILM_TIMEOUT_MS);
    return film ? { kind: "found", film } : { kind: "absent" };
  } catch (error) {
    if (!(error instanceof HttpError)) return { kind: error instanceof SyntaxError ? "absent" : "silent" };
    if (error.status === 404) return { kind: "absent" };
    return { kind: "refused", status: error.status, reason: error.reason };
  }
}

export function fetchFilms(search: string, offset: number, limit: number): Promise<Catalogue> {
  const query = new URLSearchParams({ offset: String(offset), limit: String(limit) });
  if (search) query.set("search", search);
  return getJson<Catalogue>(`/api/v1/films?${query}`, FILM_TIMEOUT_MS);
}

export async function deleteFilm(encodedPath: string): Promise<void> {
  await ask(`/api/v1/films/${encodedPath}`, { method: "DELETE" });
}

/** `name`: below its app, with its ending. */
export async function renameFilm(encodedPath: string, name: string): Promise<void> {
  await ask(`/api/v1/films/${encodedPath}`, { method: "PATCH", body: JSON.stringify({ name }) });
}

export async function stopStream(encodedPath: string): Promise<void> {
  try {
    await ask(`/api/v1/streams/${encodedPath}`, { method: "DELETE" });
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 404) throw error;
  }
}

/** The recordings that grow. */
export async function fetchRecordings(): Promise<Growing[]> {
  return (await getJson<{ recordings: Growing[] }>("/api/v1/recordings")).recordings;
}

/** It begins with the next key frame, or ends, a moment later. */
export async function recordStream(encodedPath: string, wanted: boolean): Promise<void> {
  await ask(`/api/v1/recordings/${encodedPath}`, { method: wanted ? "POST" : "DELETE" });
}

/** The file itself. */
export async function fetchClip(encodedPath: string, { from, until }: Span, format: "mp4" | "flv"): Promise<Blob> {
  const response = await ask(`/api/v1/clips/${encodedPath}?from=${from}&until=${until}&format=${format}`, {}, FILM_TIMEOUT_MS);
  return response.blob();
}

/** Makes a film of it, `name` below the recordings; `stream`: not percent-encoded. */
export async function keepClip(stream: string, span: Span, name: string): Promise<{ name: string; url: string }> {
  const body = JSON.stringify({ stream, from: span.from, until: span.until, name });
  return (await ask("/api/v1/clips", { method: "POST", body }, FILM_TIMEOUT_MS)).json();
}

async function getJson<T>(url: string, timeoutMs = TIMEOUT_MS): Promise<T> {
  const response = await ask(url, { headers: { accept: "application/json" }, cache: "no-store" }, timeoutMs);
  return (await response.json()) as T;
}

/** Throws what is no success. */
async function ask(url: string, request: RequestInit, timeoutMs = TIMEOUT_MS): Promise<Response> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new HttpError(response.status, refusalReason(await response.text()));
  return response;
}

/** Why something was not done, for people; `silent`: where the server did not answer. */
export function reasonOf(error: unknown, silent: string): string {
  return error instanceof HttpError ? error.message : silent;
}

/** A refusal is a line of text, or JSON with it in `error`. Whatever else comes is not for people. */
export function refusalReason(body: string): string {
  let text = body;
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null && "error" in value) text = String(value.error);
  } catch {
    // Not JSON: the line itself.
  }
  const line = text.trim();
  return line.length > 2 && line.length <= 400 && !/^[<{[]/.test(line) ? line.charAt(0).toUpperCase() + line.slice(1) : "";
}
