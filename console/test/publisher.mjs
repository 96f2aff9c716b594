/**
 * A publisher that sends what it is told, to the byte and to the moment: what encoders in the field send and no ffmpeg
 * does. Tags are made by ffmpeg, changed by the test, and sent as RTMP at the pace of their times.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const AUDIO = 8;
export const VIDEO = 9;
export const DATA = 18;

const CHUNK = 65_536;
const CHUNK_STREAM = { [AUDIO]: 4, [VIDEO]: 6, [DATA]: 5, 20: 3, 1: 2 };

/** A tag: what it is, when, and its body. @typedef {{ type: number, ms: number, body: Buffer }} Tag */

/**
 * What ffmpeg makes of these arguments, as FLV: its description, and of each track the configurations and the frames.
 * @returns {Promise<{ meta: Tag[], video: { configs: Tag[], frames: Tag[] }, audio: { configs: Tag[], frames: Tag[] } }>}
 */
export async function encode(args) {
  const flv = ["-flvflags", "no_duration_filesize", "-f", "flv", "-"];
  const tags = tagsOf(await output("ffmpeg", ["-v", "error", ...args, ...flv]));
  const track = (type) => {
    const all = tags.filter((tag) => tag.type === type);
    return { configs: all.filter((tag) => tag.body[1] === 0), frames: all.filter((tag) => tag.body[1] === 1) };
  };
  return { meta: tags.filter((tag) => tag.type === DATA), video: track(VIDEO), audio: track(AUDIO) };
}

/** Sound as FLAC, as Enhanced RTMP has it: ffmpeg before its version 8 puts none into FLV. */
export async function encodeFlac(args) {
  const directory = await mkdtemp(join(tmpdir(), "headwater-flac-"));
  try {
    const [flac, mp4] = [join(directory, "a.flac"), join(directory, "a.mp4")];
    await output("ffmpeg", ["-v", "error", ...args, "-c:a", "flac", flac]);
    await output("ffmpeg", ["-v", "error", "-i", flac, "-c", "copy", "-strict", "-2", mp4]);
    const probe = ["-v", "error", "-show_entries", "packet=pts_time,pos,size", "-of", "json", mp4];
    const { packets } = JSON.parse(await output("ffprobe", probe));
    const [head, bytes] = [(await readFile(flac)).subarray(4, 42), await readFile(mp4)];
    // The last metadata block is the only one that is sent.
    head[0] |= 0x80;
    const body = (kind, ...parts) => Buffer.concat([Buffer.from([0x90 | kind]), Buffer.from("fLaC"), ...parts]);
    const frames = packets.map(({ pts_time, pos, size }) => ({
      type: AUDIO,
      ms: Math.round(Number(pts_time) * 1000),
      body: body(1, bytes.subarray(Number(pos), Number(pos) + Number(size))),
    }));
    return { configs: [{ type: AUDIO, ms: 0, body: body(0, Buffer.from("fLaC"), head) }], frames };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function output(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, said] = [[], []];
  child.stdout.on("data", (bytes) => out.push(bytes));
  child.stderr.on("data", (bytes) => said.push(bytes));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${program}: ${Buffer.concat(said)}`);
  return Buffer.concat(out);
}

function tagsOf(flv) {
  const tags = [];
  for (let at = 13; at + 11 <= flv.length; ) {
    const size = flv.readUIntBE(at + 1, 3);
    const ms = flv.readUIntBE(at + 4, 3) + flv[at + 7] * 0x1000000;
    tags.push({ type: flv[at], ms, body: flv.subarray(at + 11, at + 11 + size) });
    at += 15 + size;
  }
  return tags;
}

export const later = (tags, ms) => tags.map((tag) => ({ ...tag, ms: tag.ms + ms }));

/** In the order of their times; of one time, in the order given. */
export const merge = (...tracks) => tracks.flat().sort((a, b) => a.ms - b.ms);

/** The same again and again, `spanMs` apart. */
export const repeated = (tags, times, spanMs) => Array.from({ length: times }, (_, n) => later(tags, n * spanMs)).flat();

/**
 * Publishes `tags` as `path`, each at its time; those before `aheadMs` as fast as a server takes them. Resolves when the server takes the
 * stream, to a function that ends it. At the end of the tags it stays, silent.
 */
export async function publish(rtmp, path, tags, { aheadMs = 0 } = {}) {
  const { hostname, port } = new URL(rtmp.replace(/^rtmp:/, "http:"));
  const [app, ...name] = path.split("/");
  const socket = connect({ host: hostname, port: Number(port || 1935), noDelay: true });
  let [heard, isOver] = [Buffer.alloc(0), false];
  socket.on("data", (bytes) => (heard = Buffer.concat([heard, bytes]).subarray(-8192)));
  socket.on("error", () => (isOver = true));
  socket.on("close", () => (isOver = true));
  const hears = async (enough, what) => {
    for (let n = 0; n < 500 && !isOver; n++) {
      if (enough()) return;
      await sleep(10);
    }
    throw new Error(`the server did not say ${what} to the publisher of ${path}`);
  };
  const send = (type, ms, stream, body) => socket.write(message(type, ms, stream, body));
  const says = (stream, ...values) => send(20, 0, stream, Buffer.concat(values.map(amf)));

  const c1 = Buffer.concat([Buffer.alloc(8), randomBytes(1528)]);
  socket.write(Buffer.concat([Buffer.from([3]), c1]));
  await hears(() => heard.length >= 3073, "its handshake");
  socket.write(heard.subarray(1, 1537));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(CHUNK);
  send(1, 0, 0, size);
  says(0, "connect", 1, { app, type: "nonprivate", tcUrl: `${rtmp}/${app}` });
  says(0, "createStream", 2, null);
  says(1, "publish", 3, null, name.join("/"), "live");
  await hears(() => heard.includes("NetStream.Publish.Start"), "Publish.Start");

  const began = performance.now();
  void (async () => {
    let breathedAt = 0;
    for (const { type, ms, body } of tags) {
      const wait = began + ms - aheadMs - performance.now();
      if (wait > 0) await sleep(wait);
      else if (ms - breathedAt > 1000) {
        // A server holds seconds of what it has not looked at, not minutes.
        breathedAt = ms;
        await sleep(15);
      }
      if (isOver) return;
      send(type, ms, 1, type === DATA ? Buffer.concat([amf("@setDataFrame"), body]) : body);
    }
  })();
  return () => {
    isOver = true;
    socket.destroy();
  };
}

/** One message, cut into chunks, each beginning with a whole head or none. */
function message(type, ms, stream, body) {
  const id = CHUNK_STREAM[type];
  const head = Buffer.alloc(12);
  head[0] = id;
  head.writeUIntBE(ms, 1, 3);
  head.writeUIntBE(body.length, 4, 3);
  head[7] = type;
  head.writeUInt32LE(stream, 8);
  const pieces = [head];
  for (let at = 0; at < body.length; at += CHUNK) {
    if (at > 0) pieces.push(Buffer.from([0xc0 | id]));
    pieces.push(body.subarray(at, at + CHUNK));
  }
  return Buffer.concat(pieces);
}

function amf(value) {
  if (value === null) return Buffer.from([5]);
  if (typeof value === "number") {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === "string") return Buffer.concat([Buffer.from([2]), text(value)]);
  const pairs = Object.entries(value).flatMap(([key, held]) => [text(key), amf(held)]);
  return Buffer.concat([Buffer.from([3]), ...pairs, Buffer.from([0, 0, 9])]);
}

function text(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
