/**
 * Films for the pages' checks, made by the system's ffmpeg. Each shows its own time: twelve boxes along the lower edge
 * are the bits of the second, the lowest on the left, so that a check can read from a picture what it shows.
 *
 * A film is made once and kept, in `HEADWATER_FILMS` or beside what else `./test` keeps; a check is given a copy.
 *
 *     node dev/films.mjs           makes those that the checks need and are not there yet, and deletes all others
 *     node dev/films.mjs --long    those of an hour too
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const KEPT = process.env.HEADWATER_FILMS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "headwater-test", "films");
export const SECONDS = 90;
export const BITS = 12;

const boxes = Array.from(
  { length: BITS },
  (_, bit) => `drawbox=x=iw*${bit}/${BITS}:y=ih*9/10:w=iw/${BITS}:h=ih/10:color=white:t=fill:enable='mod(floor(t/${2 ** bit})\\,2)'`,
);
const strip = "drawbox=x=0:y=ih*9/10:w=iw:h=ih/10:color=black:t=fill";
const picture = (seconds) => ["-f", "lavfi", "-i", `testsrc=size=640x360:rate=25:duration=${seconds},hue=s=0.55,${[strip, ...boxes].join(",")}`];
const tone = (seconds, hertz) => ["-f", "lavfi", "-i", `sine=frequency=${hertz}:sample_rate=44100:duration=${seconds}`];
const H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p"];
const AAC = ["-c:a", "aac", "-ac", "2", "-b:a", "96k"];
const FRONT = ["-movflags", "+faststart"];

/** What a film can be; the ending of its name goes with it. */
export const FILMS = {
  mp4: (s) => [...picture(s), ...tone(s, 330), ...H264, ...AAC, ...FRONT],
  flv: (s) => [...picture(s), ...tone(s, 330), ...H264, ...AAC, "-flvflags", "add_keyframe_index", "-f", "flv"],
  /** H.264 with the sound of the Flash age: no browser plays that. */
  speex: (s) => [...picture(s), "-f", "lavfi", "-i", `sine=frequency=330:sample_rate=16000:duration=${s}`, ...H264, "-c:a", "libspeex", "-ar", "16000", "-ac", "1", "-f", "flv"],
  hevc: (s) => [...picture(s), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50", "-tag:v", "hvc1", ...FRONT],
  sound: (s) => [...tone(s, 330), ...AAC, ...FRONT],
  sounds: (s) => [
    ...[...picture(s), ...tone(s, 330), ...tone(s, 660)],
    ...["-map", "0:v", "-map", "1:a", "-map", "2:a", ...H264, ...AAC],
    ...["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", ...FRONT],
  ],
};

export const SUBTITLES = "WEBVTT\n\n00:00.000 --> 01:30.000\nA line of words\n";

/** What `test/*.test.mjs` ask for: each kind, and how many seconds of it. Nobody looks at more of H.265. */
const NEEDED = [["mp4", 90], ["flv", 90], ["sounds", 90], ["speex", 90], ["sound", 90], ["hevc", 10], ["mp4", 60], ["mp4", 30], ["sounds", 30], ["flv", 30], ["mp4", 10], ["sound", 5]];
/** What `test/long/` asks for besides. */
export const LONG_SECONDS = 3600;
const NEEDED_LONG = [["mp4", LONG_SECONDS], ["flv", LONG_SECONDS], ["sounds", LONG_SECONDS], ["speex", LONG_SECONDS]];

/** Puts the film `name` of `kind` into `folder`; returns its path. */
export async function makeFilm(folder, name, kind, seconds = SECONDS) {
  const path = join(folder, name);
  // A library that is being watched never sees half a film.
  const half = join(folder, `.half-${process.pid}-${name}`);
  await copyFile(await keptFilm(kind, seconds), half);
  await rename(half, path);
  return path;
}

/** Another recipe is another name: what is kept is never stale. */
function nameOf(kind, seconds) {
  const recipe = createHash("sha256").update(FILMS[kind](seconds).join(" ")).digest("hex").slice(0, 12);
  return `${kind}-${seconds}s-${recipe}.${kind === "flv" || kind === "speex" ? "flv" : "mp4"}`;
}

async function keptFilm(kind, seconds) {
  const path = join(KEPT, nameOf(kind, seconds));
  if (await stat(path).catch(() => null)) return path;
  await mkdir(KEPT, { recursive: true });
  // Whole or not at all, also when two make it at once.
  const half = join(KEPT, `half-${process.pid}-${nameOf(kind, seconds)}`);
  await run("ffmpeg", ["-v", "error", "-y", ...FILMS[kind](seconds), "-shortest", half], { maxBuffer: 1 << 22 });
  await rename(half, path);
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const long = process.argv.includes("--long");
  for (const [kind, seconds] of long ? [...NEEDED, ...NEEDED_LONG] : NEEDED) await keptFilm(kind, seconds);
  const wanted = new Set([...NEEDED, ...NEEDED_LONG].map(([kind, seconds]) => nameOf(kind, seconds)));
  for (const name of await readdir(KEPT)) if (!wanted.has(name)) await rm(join(KEPT, name));
}
