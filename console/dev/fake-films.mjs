/**
 * The films of the fake server: files in a folder of its own, what the API tells of them, and everything that is
 * made of them, by the system's ffmpeg instead of the server's own hands. Uploads are held in memory.
 */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const APP = "vod";
const TYPES = { ".mp4": "video/mp4", ".flv": "video/x-flv", ".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/iso.segment", ".jpg": "image/jpeg", ".vtt": "text/vtt; charset=utf-8" };
const NAMES = { h264: "H.264", hevc: "H.265", aac: "AAC", speex: "Speex", mp3: "MP3" };
const CODECS = { h264: "avc1.42c01e", hevc: "hvc1.1.6.L63.90", aac: "mp4a.40.2" };
const SHEET = { every: 2, across: 5, down: 9, width: 160, height: 90 };

export async function openFilms() {
  const folder = await mkdtemp(join(tmpdir(), "headwater-films-"));
  return new FakeFilms(folder);
}

class FakeFilms {
  /** What tests look at or turn: requests by path; every upload breaks off after so many bytes, once. */
  asked = [];
  breakUploadAfter = Infinity;
  /** Milliseconds that each piece of an upload takes at least. */
  slow = 0;
  locked = false;
  #made = new Map();
  #uploads = new Map();
  #next = 1;

  constructor(folder) {
    this.folder = folder;
  }

  close() {
    return rm(this.folder, { recursive: true, force: true });
  }

  /** Answers what is about films; false for everything else. */
  async answer(request, response, url) {
    const path = decodeURIComponent(url.pathname);
    if (path.startsWith("/api/v1/uploads")) return this.#upload(request, response, path), true;
    if (path === "/api/v1/films") return await this.#catalogue(response, url), true;
    if (path.startsWith("/api/v1/films/")) return await this.#film(request, response, path.slice("/api/v1/films/".length), url.searchParams.get("absent") === "null"), true;
    if (!path.startsWith(`/${APP}/`)) return false;
    this.asked.push(path);
    await this.#media(request, response, path.slice(APP.length + 2));
    return true;
  }

  async #catalogue(response, url) {
    if (this.locked) return refuse(response, 401, "this needs the admin token");
    const names = (await readdir(this.folder)).filter((name) => /\.(mp4|flv)$/.test(name)).sort();
    const found = names.filter((name) => name.toLowerCase().includes((url.searchParams.get("search") ?? "").toLowerCase()));
    const [offset, limit] = [Number(url.searchParams.get("offset") ?? 0), Number(url.searchParams.get("limit") ?? 50)];
    const films = await Promise.all(found.slice(offset, offset + limit).map((name) => this.#about(name)));
    json(response, 200, { films, total: found.length });
  }

  async #film(request, response, path, absent) {
    const name = path.slice(APP.length + 1);
    if (!path.startsWith(`${APP}/`) || !(await exists(join(this.folder, name)))) return absent ? json(response, 200, null) : refuse(response, 404, "there is no film of this name");
    if (request.method !== "DELETE") return json(response, 200, await this.#about(name));
    await rm(join(this.folder, name));
    response.writeHead(204).end();
  }

  async #about(name) {
    const { size, mtime } = await stat(join(this.folder, name));
    const at = `/${APP}/${encodeURIComponent(name)}`;
    const urls = {
      ...{ file: at, hls: `${at}/index.m3u8`, flv: at.replace(/\.\w+$/, ".flv"), rtmp: `rtmp://127.0.0.1:1935/${APP}/${name}` },
      ...{ thumbnail: `${at}/thumbnail.jpg`, sprite: `${at}/sprite.vtt`, watch: `/watch${at}` },
    };
    const base = { app: APP, name, bytes: size, modified: mtime.toISOString(), urls };
    const told = await this.#once(`about ${name} ${size}`, () => this.#probe(name));
    if (!told) return { ...base, error: "the file is no film: there is no moov in it", notes: [] };
    const beside = name.replace(/\.\w+$/, ".en.vtt");
    const subtitles = (await exists(join(this.folder, beside))) ? [{ language: "en", name: beside, url: `/${APP}/${encodeURIComponent(beside)}` }] : [];
    return { ...base, ...told, subtitles, notes: [] };
  }

  async #probe(name) {
    try {
      const { stdout } = await run("ffprobe", ["-v", "error", "-of", "json", "-show_format", "-show_streams", join(this.folder, name)]);
      const { format, streams } = JSON.parse(stdout);
      const tracks = streams.map((stream) => ({
        ...{ kind: stream.codec_type, index: stream.index, codec: NAMES[stream.codec_name] ?? stream.codec_name, codec_string: CODECS[stream.codec_name] ?? null },
        ...(stream.codec_type === "video" ? { width: stream.width, height: stream.height, frame_rate: 25 } : { sample_rate: Number(stream.sample_rate), channels: stream.channels }),
        ...{ language: stream.tags?.language ?? null, bitrate: Number(stream.bit_rate) || null },
      }));
      return { duration: Number(format.duration), tracks };
    } catch {
      return null;
    }
  }

  async #media(request, response, path) {
    const [name, ...inside] = path.split("/");
    const file = join(this.folder, name);
    const start = new URL(request.url, "http://fake").searchParams.get("start");
    if (start && name.endsWith(".flv")) return send(request, response, await this.#once(`${name} from ${start}`, () => this.#cut(file, start)));
    if (inside.length === 0 && (await exists(file))) return send(request, response, file);
    if (inside.length === 0 || !(await exists(file))) return refuse(response, 404, "there is no film of this name");
    const [first] = inside;
    const { searchParams } = new URL(request.url, "http://fake");
    if (first === "thumbnail.jpg") return send(request, response, await this.#once(`${name} ${searchParams}`, () => this.#thumbnail(file, searchParams)));
    const kind = first.startsWith("sprite") ? "sprite" : "hls";
    const made = await this.#once(`${kind} ${name}`, () => (kind === "sprite" ? this.#sprite(file) : this.#hls(file)));
    const asked = join(made, inside.join("/"));
    return (await exists(asked)) ? send(request, response, asked) : refuse(response, 404, "no such part of the film");
  }

  #once(key, make) {
    if (!this.#made.has(key)) this.#made.set(key, make());
    return this.#made.get(key);
  }

  async #room() {
    const room = join(this.folder, `made-${this.#next++}`);
    await mkdir(room);
    return room;
  }

  async #cut(file, start) {
    const out = join(await this.#room(), "cut.flv");
    await run("ffmpeg", ["-v", "error", "-ss", start, "-i", file, "-c", "copy", "-avoid_negative_ts", "make_zero", out]);
    return out;
  }

  async #thumbnail(file, query) {
    const out = join(await this.#room(), "thumbnail.jpg");
    await run("ffmpeg", ["-v", "error", "-ss", query.get("t") ?? "9", "-i", file, "-frames:v", "1", "-vf", `scale=${query.get("width") ?? 320}:-2`, out]);
    return out;
  }

  async #sprite(file) {
    const room = await this.#room();
    const { every, across, down, width, height } = SHEET;
    await run("ffmpeg", ["-v", "error", "-i", file, "-vf", `fps=1/${every},scale=${width}:${height},tile=${across}x${down}`, "-frames:v", "1", join(room, "sprite-0.jpg")]);
    const clock = (s) => new Date(s * 1000).toISOString().slice(11, 23);
    const cues = Array.from({ length: across * down }, (_, i) => {
      const [x, y] = [(i % across) * width, Math.floor(i / across) * height];
      return `${clock(i * every)} --> ${clock((i + 1) * every)}\nsprite-0.jpg#xywh=${x},${y},${width},${height}\n`;
    });
    await writeFile(join(room, "sprite.vtt"), ["WEBVTT\n", ...cues].join("\n"));
    return room;
  }

  async #hls(file) {
    const room = await this.#room();
    const told = await this.#probe(file.slice(this.folder.length + 1));
    const sounds = told.tracks.filter(({ kind }) => kind === "audio");
    const picture = told.tracks.some(({ kind }) => kind === "video");
    // As the real server does it: beside a picture, each sound is a rendition of its own.
    const apart = picture && sounds.length > 0;
    const words = (language, i) => (language ? `,language:${language},name:${language}` : `,name:sound-${i}`);
    const map = apart
      ? ["v:0,agroup:a", ...sounds.map(({ language }, i) => `a:${i},agroup:a${words(language, i)},default:${i === 0 ? "yes" : "no"}`)].join(" ")
      : [picture ? "v:0" : "", sounds.length > 0 ? "a:0" : ""].filter(Boolean).join(",");
    const maps = apart ? ["-map", "0:v", "-map", "0:a"] : [];
    await run(
      "ffmpeg",
      [
        ...["-v", "error", "-i", file, ...maps, "-c", "copy", "-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"],
        ...["-var_stream_map", map, "-master_pl_name", "index.m3u8", "-hls_fmp4_init_filename", apart ? "init-%v.mp4" : "init.mp4", "-hls_segment_filename", join(room, "s-%v-%d.m4s"), join(room, "list-%v.m3u8")],
      ],
    );
    return room;
  }

  #upload(request, response, path) {
    if (this.locked) return refuse(response, 401, "this needs the admin token");
    const id = path.slice("/api/v1/uploads/".length);
    if (request.method === "POST" && !id) return void this.#begin(request, response);
    if (request.method === "GET" && !id) {
      const uploads = [...this.#uploads].map(([id, { bytes, got }]) => ({ id, bytes, offset: got.reduce((sum, piece) => sum + piece.length, 0) }));
      return json(response, 200, { uploads });
    }
    const upload = this.#uploads.get(id);
    if (!upload) return refuse(response, 404, "there is no such upload");
    const offset = upload.got.reduce((sum, piece) => sum + piece.length, 0);
    if (request.method === "DELETE") return this.#uploads.delete(id), void response.writeHead(204).end();
    if (request.method !== "PATCH") {
      response.setHeader("upload-offset", String(offset));
      return json(response, 200, { id, offset, bytes: upload.bytes });
    }
    if (Number(request.headers["upload-offset"]) !== offset) return refuse(response, 409, `the upload stands at ${offset}`);
    this.#take(request, response, id, upload, offset);
  }

  async #begin(request, response) {
    const said = new Map(request.headers["upload-metadata"].split(",").map((pair) => pair.split(" ")));
    const [app, name] = ["app", "filename"].map((key) => Buffer.from(said.get(key), "base64").toString());
    const [bytes, replace] = [Number(request.headers["upload-length"]), said.has("replace")];
    if (app !== APP) return refuse(response, 404, "there is no such app");
    if (!replace && (await exists(join(this.folder, name)))) return refuse(response, 409, `there is a film ${name} already`);
    const id = `upload${this.#next++}`;
    this.#uploads.set(id, { name, bytes, got: [] });
    response.writeHead(201, { location: `/api/v1/uploads/${id}` }).end();
  }

  #take(request, response, id, upload, offset) {
    let at = offset;
    request.on("data", (piece) => {
      upload.got.push(piece);
      at += piece.length;
      if (at < this.breakUploadAfter) return;
      this.breakUploadAfter = Infinity;
      request.destroy();
    });
    request.on("end", async () => {
      if (this.slow > 0) await new Promise((resolve) => setTimeout(resolve, this.slow));
      if (at === upload.bytes) {
        await writeFile(join(this.folder, upload.name), Buffer.concat(upload.got));
        this.#uploads.delete(id);
      }
      response.writeHead(204, { "upload-offset": String(at) }).end();
    });
  }
}

/** A file, whole or the range that was asked for. */
async function send(request, response, file) {
  const { size } = await stat(file);
  const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "accept-ranges": "bytes", "cache-control": "no-cache" };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(size - 1, Number(range[2])) : size - 1;
  if (start > end) return void response.writeHead(416, { "content-range": `bytes */${size}` }).end();
  response.writeHead(range ? 206 : 200, { ...headers, "content-length": end - start + 1, ...(range ? { "content-range": `bytes ${start}-${end}/${size}` } : {}) });
  if (request.method === "HEAD") return void response.end();
  createReadStream(file, { start, end }).on("error", () => response.destroy()).pipe(response);
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(value));
}

function refuse(response, status, words) {
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(`${words}\n`);
}

const exists = (path) => stat(path).then((found) => found.isFile(), () => false);
