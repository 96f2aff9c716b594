/**
 * A stand-in for the server, for work on the pages and for their tests: the built pages of `dist/` (or those of
 * a running `vite`), the API with a few streams, an endless FLV from the system's ffmpeg over HTTP and WebSocket, and
 * films (`fake-films.mjs`). It is not the server: it has no hub, and every viewer gets an ffmpeg of its own.
 *
 *     npm run build && npm run fake              then open http://127.0.0.1:8090/
 *     npm run fake -- --port 0 --streams demo,quiet,radio
 *
 * A test starts it with `startFake` and makes things happen: a stream appears, ends, breaks off, is refused.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { openFilms } from "./fake-films.mjs";
import { makeFilm } from "./films.mjs";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".md": "text/plain" };
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; " +
  "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const H264 = { codec: "H.264", codec_string: "avc1.42c01e", width: 640, height: 360, frame_rate: 25 };
const AAC = { codec: "AAC", codec_string: "mp4a.40.2", sample_rate: 44100, channels: 2 };
/** What can be published here, by name: the tracks that the API tells of. */
const KINDS = {
  av: { video: H264, audio: AAC },
  video: { video: H264, audio: null },
  audio: { video: null, audio: AAC },
  h265: { video: { ...H264, codec: "H.265", codec_string: "hvc1.1.6.L93.B0" }, audio: null },
  /** As a server with a GOP cache: four seconds at once, then in time. */
  burst: { video: H264, audio: AAC, ahead: 4 },
  speex: { video: H264, audio: { codec: "Speex", codec_string: null, sample_rate: 16000, channels: 1 } },
  waiting: { video: null, audio: null },
};
const SAMPLE = [
  ["live/demo", "av"],
  ["live/picture only", "video"],
  ["radio/night", "audio"],
  ["live/new codec", "h265"],
  ["live/<img src=x onerror=alert(1)>", "av"],
  ["live/soon", "waiting"],
];

export async function startFake({ port = 0, streams = SAMPLE, quiet = true } = {}) {
  const access = { key_needed: false, key_needed_elsewhere: true, publish_key: "bcdfghjkmnpqrstvwxz23456", session_ends_in_ms: null };
  const world = { access, streams: new Map(), media: new Set(), refuse: "none", films: await openFilms(), log: quiet ? () => {} : console.log };
  for (const [path, kind] of streams) add(world, path, kind);

  const server = createServer((request, response) => {
    answer(world, server, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    const stream = mediaOf(world, new URL(request.url, "http://fake").pathname);
    if (!stream || world.refuse === "ws") return socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    sockets.handleUpgrade(request, socket, head, (peer) => {
      stream.overWs += 1;
      pour(world, stream, (bytes) => peer.send(bytes), () => peer.close(), (gone) => peer.on("close", gone));
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const close = async () => {
    for (const media of world.media) media.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await world.films.close();
  };
  return {
    url,
    close,
    films: world.films,
    add: (path, kind = "av") => add(world, path, kind),
    remove: (path) => remove(world, path),
    stream: (path) => world.streams.get(path),
    /** What is wrong with a stream, as the API tells it. */
    ail: (path, health) => (world.streams.get(path).health = health),
    /** What publishing takes, and whether somebody has logged in, as the API tells it. */
    admit: (access) => (world.access = { ...world.access, ...access }),
    /** Breaks every media connection off. */
    cut: () => world.media.forEach((media) => media.cut()),
    /** Holds the media of a stream still (its viewers stay); `orphan`: because its publisher is gone. */
    freeze(path, still, orphan = false) {
      world.streams.get(path).orphan = still && orphan;
      for (const media of world.media) if (media.path === path) media.freeze(still);
    },
    /** Media over `http` or `ws` is refused from now on; `none`: neither. */
    refuse: (transport) => (world.refuse = transport),
  };
}

function add(world, path, kind) {
  const [app, ...name] = path.split("/");
  world.streams.set(path, { path, app, name: name.join("/"), kind, since: Date.now(), viewers: 0, overWs: 0, overHttp: 0 });
}

function remove(world, path) {
  world.streams.delete(path);
  for (const media of world.media) if (media.path === path) media.stop();
}

async function answer(world, server, request, response) {
  const url = new URL(request.url, "http://fake");
  const path = url.pathname;
  if (path === "/api/v1/info") {
    const { port } = server.address();
    return json(response, { version: "0.1.0", rtmp_port: 1935, http_port: port, embeddable: false });
  }
  if (path === "/api/v1/access") return json(response, world.access);
  if (path === "/logout" && request.method === "POST") {
    world.access = { ...world.access, session_ends_in_ms: null };
    return void response.writeHead(303, { location: "/login" }).end();
  }
  if (path === "/api/v1/streams") {
    const streams = [...world.streams.values()].map(describe);
    return json(response, { streams, total: streams.length, next: null });
  }
  if (path.startsWith("/api/v1/streams/")) {
    const name = decode(path.slice("/api/v1/streams/".length));
    const stream = world.streams.get(name);
    if (request.method === "DELETE" && stream) return remove(world, name), void response.writeHead(204).end();
    if (!stream && url.searchParams.get("absent") === "null") return json(response, null);
    return stream ? json(response, describe(stream)) : fail(response, 404);
  }
  if (path.startsWith("/api/v1/recordings")) return recordings(world, request, response, decode(path.slice("/api/v1/recordings/".length)));
  if (await world.films.answer(request, response, url)) return;
  if (path.endsWith(".flv") && !path.startsWith("/watch/")) return flv(world, path, response);
  return file(path, response);
}

/** Whether a stream is recorded is only said: there is no file. */
function recordings(world, request, response, path) {
  if (request.method === "GET") {
    const growing = [...world.streams.values()].filter((stream) => stream.recorded);
    return json(response, {
      recordings: growing.map((stream) => ({ stream: stream.path, app: "recordings", name: `${stream.path}/now.mp4`, url: encodeURI(`/recordings/${stream.path}/now.mp4`), since: stream.recorded })),
    });
  }
  const stream = world.streams.get(path);
  if (!stream) return fail(response, 404);
  const wanted = request.method === "POST";
  stream.recorded = wanted && !stream.awaits ? new Date().toISOString() : null;
  stream.recording = wanted ? (stream.awaits ?? "growing") : null;
  response.writeHead(202).end();
}

function describe(stream) {
  const { video, audio } = KINDS[stream.kind];
  const live = stream.kind !== "waiting" && !stream.orphan;
  const age = Date.now() - stream.since;
  const wave = Math.sin(age / 4000) + Math.sin(age / 1300) * 0.4;
  return {
    app: stream.app,
    name: stream.name,
    path: stream.path,
    state: live ? "live" : stream.orphan ? "paused" : "waiting",
    uptime_ms: live ? age + 60_000 : 0,
    viewers: stream.viewers,
    bitrate_bps: live ? Math.round((video ? 1_100_000 : 128_000) * (1 + wave * 0.12)) : 0,
    bytes_in: live ? age * 125 : 0,
    frames_in: live ? Math.round(age / 40) : 0,
    video,
    audio,
    left_out: [],
    health: stream.health ?? [],
    record: stream.record ?? "on-demand",
    recording: stream.recording ?? null,
    publisher: live ? { address: "127.0.0.1:50412", agent: "FMLE/3.0 (compatible; Lavf59.27.100)", protocol: "rtmp" } : null,
  };
}

function flv(world, path, response) {
  const stream = mediaOf(world, path);
  if (!stream) return fail(response, 404);
  if (world.refuse === "http") return response.destroy();
  stream.overHttp += 1;
  response.writeHead(200, { "content-type": "video/x-flv", "cache-control": "no-store", "access-control-allow-origin": "*" });
  pour(world, stream, (bytes) => response.write(bytes), () => response.end(), (gone) => response.on("close", gone), () => response.destroy());
}

function mediaOf(world, path) {
  const stream = world.streams.get(decode(path.replace(/\.flv$/, "")).replace(/^\//, ""));
  return stream && stream.kind !== "waiting" ? stream : undefined;
}

/** One ffmpeg for one viewer: a moving test picture and a tone, in time, until either end is gone. */
function pour(world, stream, write, end, onGone, destroy = end) {
  const { video, audio, ahead = 0 } = KINDS[stream.kind];
  // What is due before the start is due at once.
  const early = ["-re", "-itsoffset", String(-ahead)];
  const picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"];
  const tone = ["-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100"];
  const encoder = spawn(
    "ffmpeg",
    [
      ...["-v", "error", ...(video ? [...early, ...picture] : []), ...(audio ? [...early, ...tone] : [])],
      ...(video ? ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", ahead ? "100" : "25", "-pix_fmt", "yuv420p", "-threads", "1"] : []),
      ...(audio ? ["-c:a", "aac", "-ac", "2", "-b:a", "96k"] : []),
      ...["-flush_packets", "1", "-flvflags", "no_duration_filesize", "-f", "flv", "pipe:1"],
    ],
    { stdio: ["ignore", "pipe", world.log === console.log ? "inherit" : "ignore"] },
  );
  const media = {
    path: stream.path,
    stop: () => {
      encoder.kill("SIGKILL");
      end();
    },
    /** The publisher's network stops, and later hands over what it owed. */
    freeze: (still) => encoder.kill(still ? "SIGSTOP" : "SIGCONT"),
    cut: () => {
      encoder.kill("SIGKILL");
      destroy();
    },
  };
  world.media.add(media);
  stream.viewers += 1;
  encoder.stdout.on("data", write);
  encoder.on("close", () => end());
  onGone(() => {
    if (!world.media.delete(media)) return;
    stream.viewers -= 1;
    encoder.kill("SIGKILL");
  });
}

async function file(path, response) {
  const page = path === "/" ? "/index.html" : path === "/watch" || path.startsWith("/watch/") ? "/watch.html" : path;
  const inside = join(DIST, normalize(page));
  if (!inside.startsWith(DIST)) return fail(response, 404);
  try {
    const bytes = await readFile(inside);
    response.writeHead(200, { "content-type": TYPES[extname(inside)] ?? "application/octet-stream", "content-security-policy": POLICY, "x-content-type-options": "nosniff" });
    response.end(bytes);
  } catch {
    fail(response, 404);
  }
}

function decode(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return "";
  }
}

function json(response, value) {
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(value));
}

function fail(response, status) {
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(`${status}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8090" }, streams: { type: "string" } } });
  const streams = values.streams === undefined ? SAMPLE : values.streams.split(",").filter(Boolean).map((path) => [`live/${path}`, "av"]);
  const { url, films } = await startFake({ port: Number(values.port), streams, quiet: false });
  for (const [name, kind] of [["A short film.mp4", "mp4"], ["An old film.flv", "flv"], ["Two languages.mp4", "sounds"]]) {
    await makeFilm(films.folder, name, kind);
  }
  console.log(`fake server: ${url}/`);
}
