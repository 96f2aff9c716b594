/**
 * The server's API as the pages use it: types and the three questions they ask. Nothing here keeps state.
 * The types follow `GET /api/v1/…`; a field that the server does not know (yet) is `null`, never left out.
 */

export interface ServerInfo {
  version: string;
  rtmp_port: number;
  http_port: number;
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
  video: VideoTrack | null;
  audio: AudioTrack | null;
  publisher: Publisher | null;
}

/** What came of asking for one stream. `unknown`: the server would not say. `silent`: it did not answer at all. */
export type Lookup = { kind: "found"; stream: Stream } | { kind: "absent" | "unknown" | "silent" };

/** The server answered, but not with what was asked for. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(
      status === 401 || status === 403
        ? "The server asks for its admin token before it shows this."
        : `The server answered with status ${status}.`,
    );
    this.status = status;
  }
}

const PATIENCE_MS = 5000;

export function fetchInfo(): Promise<ServerInfo> {
  return ask<ServerInfo>("/api/v1/info");
}

export async function fetchStreams(): Promise<Stream[]> {
  return (await ask<{ streams: Stream[] }>("/api/v1/streams")).streams;
}

/** Never throws: not knowing is an answer too, and the player goes on without it. */
export async function lookUp(encodedPath: string, query = ""): Promise<Lookup> {
  try {
    return { kind: "found", stream: await ask<Stream>(`/api/v1/streams/${encodedPath}${query}`) };
  } catch (error) {
    if (error instanceof Refused) return { kind: error.status === 404 ? "absent" : "unknown" };
    return { kind: error instanceof SyntaxError ? "unknown" : "silent" };
  }
}

async function ask<T>(url: string): Promise<T> {
  const response = await fetch(url, {
    headers: { accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (!response.ok) throw new Refused(response.status);
  return (await response.json()) as T;
}
