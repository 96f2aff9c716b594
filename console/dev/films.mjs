/**
 * Films for the pages' checks, made by the system's ffmpeg. Each shows its own time: eight boxes along the lower edge
 * are the bits of the second, the lowest on the left, so that a check can read from a picture what it shows.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const SECONDS = 90;
export const BITS = 8;

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

/** Makes the film `name` of `kind` in `folder`; returns its path. */
export async function makeFilm(folder, name, kind, seconds = SECONDS) {
  const path = join(folder, name);
  await run("ffmpeg", ["-v", "error", "-y", ...FILMS[kind](seconds), "-shortest", path], { maxBuffer: 1 << 22 });
  return path;
}
