/**
 * What the server makes of films, read by programs that are not ours: playlists by hls-parser, MP4 by mp4box.js. They
 * must find every picture and every sound that ffprobe finds in the film itself. Needs the real server (`HEADWATER_URL`
 * and `HEADWATER_MEDIA`).
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import HLS from "hls-parser";
import * as MP4Box from "mp4box";
import { makeFilm } from "../dev/films.mjs";

const URL_OF_SERVER = process.env.HEADWATER_URL;
const MEDIA = process.env.HEADWATER_MEDIA;
const ONLY_REAL = { skip: URL_OF_SERVER && MEDIA ? false : "needs the real server" };
const SECONDS = 30;
const FILMS = { "other eyes.mp4": "mp4", "other eyes too.mp4": "sounds", "other eyes.flv": "flv" };

before(async () => {
  if (ONLY_REAL.skip) return;
  for (const [name, kind] of Object.entries(FILMS)) await makeFilm(MEDIA, name, kind, SECONDS);
}, { timeout: 120_000 });
after(async () => {
  if (!ONLY_REAL.skip) for (const name of Object.keys(FILMS)) await rm(join(MEDIA, name), { force: true });
});

const address = (name) => `${URL_OF_SERVER}/vod/${encodeURIComponent(name)}`;

async function load(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200, `${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

const playlist = async (url) => HLS.parse(new TextDecoder().decode(await load(url)));

/** What mp4box.js finds in a file: its tracks, each with its samples. */
function readMp4(parts) {
  const file = MP4Box.createFile();
  let about;
  file.onReady = (info) => (about = info);
  file.onError = (error) => assert.fail(error);
  let position = 0;
  for (const part of parts) {
    const buffer = part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength);
    buffer.fileStart = position;
    position += part.byteLength;
    file.appendBuffer(buffer);
  }
  file.flush();
  assert.ok(about, "mp4box finds no film in it");
  return about.tracks.map((track) => ({ kind: track.type, codec: track.codec, samples: file.getTrackById(track.id).samples }));
}

/** How many access units of each track there are, by ffprobe. */
async function counted(name) {
  const wanted = ["-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets", "-of", "csv=p=0", join(MEDIA, name)];
  const { stdout } = await promisify(execFile)("ffprobe", wanted);
  const lines = stdout.trim().split("\n").map((line) => line.split(","));
  const of = (kind) => lines.filter(([found]) => found === kind).map(([, count]) => Number(count));
  return { video: of("video"), audio: of("audio") };
}

test("playlists and segments hold every access unit", ONLY_REAL, async () => {
  for (const name of Object.keys(FILMS)) {
    const master = await playlist(`${address(name)}/index.m3u8`);
    assert.ok(master.isMasterPlaylist && master.variants.length > 0, name);
    const lists = new Set(master.variants.filter((variant) => !variant.isIFrameOnly).flatMap((variant) => [variant.uri, ...variant.audio.map((sound) => sound.uri)]));
    const found = { video: [], audio: [] };
    for (const uri of lists) {
      const at = new URL(uri, `${address(name)}/index.m3u8`).href;
      const list = await playlist(at);
      assert.ok(list.endlist && list.segments.length >= 4, `${name} ${uri}: ${list.segments.length} segments`);
      assert.ok(list.segments.every((segment) => Math.round(segment.duration) <= list.targetDuration), `${name} ${uri}`);
      const length = list.segments.reduce((sum, segment) => sum + segment.duration, 0);
      assert.ok(Math.abs(length - SECONDS) < 0.3, `${name} ${uri}: ${length} s`);
      const parts = [await load(new URL(list.segments[0].map.uri, at).href)];
      for (const segment of list.segments) parts.push(await load(new URL(segment.uri, at).href));
      const [track] = readMp4(parts);
      const ends = track.samples.slice(0, -1).every((sample, index) => sample.dts + sample.duration === track.samples[index + 1].dts);
      assert.ok(ends, `${name} ${uri}: the samples leave no gap`);
      found[track.kind].push(track.samples.length);
    }
    assert.deepEqual(found, await counted(name), name);
  }
});

test("a part of a film is a film", ONLY_REAL, async () => {
  const name = "other eyes too.mp4";
  const tracks = readMp4([await load(`${address(name)}?start=10&end=20`)]);
  assert.deepEqual(tracks.map((track) => track.kind), ["video", "audio", "audio"]);
  for (const { kind, samples } of tracks) {
    const seconds = samples.reduce((sum, sample) => sum + sample.duration / sample.timescale, 0);
    assert.ok(seconds > 9.5 && seconds < 16, `${kind}: ${seconds} s`);
    assert.ok(samples[0].is_sync, `${kind} begins where a decoder can`);
  }
  const other = readMp4([await load(`${URL_OF_SERVER}/vod/${encodeURIComponent("other eyes.mp4")}`)]);
  const { video, audio } = await counted("other eyes.mp4");
  assert.deepEqual(other.map((track) => track.samples.length), [...video, ...audio]);
});
