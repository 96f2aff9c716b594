/**
 * Where a stream lives: every address the pages show or open, made from one place. Pure.
 *
 * A stream is `<app>/<name>`; the name may hold `/`, spaces and any UTF-8. In web addresses every segment is
 * percent-encoded. In RTMP addresses it is not: RTMP clients send the name as it was typed.
 */

export interface StreamName {
  app: string;
  name: string;
}

/** The part of `window.location` that addresses are made from. */
export interface Origin {
  protocol: string;
  host: string;
  hostname: string;
}

export const RTMP_PORT = 1935;

/** `live/caf%C3%A9/one`: for a path of a URL. */
export function encodePath({ app, name }: StreamName): string {
  return [app, ...name.split("/")].map(encodeURIComponent).join("/");
}

/** The stream that `/watch/<app>/<name…>` speaks of; `null` when the address names none. */
export function parseWatchPath(pathname: string): StreamName | null {
  const [, door, app, ...name] = pathname.split("/");
  if (door !== "watch" || !app || name.length === 0) return null;
  try {
    const decoded = { app: decodeURIComponent(app), name: name.map(decodeURIComponent).join("/") };
    return decoded.name.split("/").some((segment) => segment === "") ? null : decoded;
  } catch {
    return null;
  }
}

const FILM = /\.(mp4|m4v|mov|f4v|flv|m4a)$/i;
/** The app whose names are films, unless the server is told otherwise. */
const FILM_APP = "vod";

/** Whether a name is more likely a film's than a live stream's: which of the two the server is asked for first. */
export function looksLikeFilm({ app, name }: StreamName): boolean {
  return app === FILM_APP || FILM.test(name);
}

export function watchUrl(stream: StreamName): string {
  return `/watch/${encodePath(stream)}`;
}

export function httpFlvUrl(origin: Origin, stream: StreamName): string {
  return `${origin.protocol}//${origin.host}/${encodePath(stream)}.flv`;
}

export function hlsUrl({ protocol, host }: Origin, stream: StreamName): string {
  return `${protocol}//${host}/${encodePath(stream)}/index.m3u8`;
}

export function wsFlvUrl(origin: Origin, stream: StreamName): string {
  return `${origin.protocol === "https:" ? "wss:" : "ws:"}//${origin.host}/${encodePath(stream)}.flv`;
}

/** `rtmp://host/app`: what OBS calls the server. */
export function rtmpServer(origin: Origin, port: number, app: string): string {
  return `rtmp://${origin.hostname}${port === RTMP_PORT ? "" : `:${port}`}/${app}`;
}

export function rtmpUrl(origin: Origin, port: number, { app, name }: StreamName): string {
  return `${rtmpServer(origin, port, app)}/${name}`;
}

/** `url` with another query (with its `?`, or empty) joined to its own. */
export function withQuery(url: string, query: string): string {
  if (!query) return url;
  return url.includes("?") ? `${url}&${query.slice(1)}` : url + query;
}

/** The query without `t`, with its `?` or empty: what every request to the server is given (a link may carry a key). */
export function queryWithoutTime(search: string): string {
  const query = new URLSearchParams(search);
  query.delete("t");
  const rest = query.toString();
  return rest ? `?${rest}` : "";
}

/** Names come from strangers and may be tens of kilobytes long: this much of one is enough for the eye. */
export function shortName(name: string, max = 120): string {
  const characters = Array.from(name.slice(0, max * 2));
  return characters.length > max || name.length > max * 2 ? `${characters.slice(0, max).join("")}…` : name;
}
