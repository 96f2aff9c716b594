/**
 * The pictures above the timeline: a WebVTT file whose cues name a rectangle of a larger picture
 * (`sprite-0.jpg#xywh=160,90,160,90`). Pure; whatever comes, it gives the cues that make sense and drops the rest.
 */

export interface Preview {
  /** Seconds: from `start` up to, not including, `end`. */
  start: number;
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const ARROW = /^\s*([\d:.]+)\s+-->\s+([\d:.]+)/;
const PLACE = /#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/;
const PREVIEWS_MAX = 20_000;

/** `base`: the address of the file itself. Pictures of other servers are not shown. Sorted by time. */
export function parseSprite(text: string, base: string): Preview[] {
  const previews: Preview[] = [];
  const origin = new URL(base).origin;
  for (const block of text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => ARROW.test(line));
    const times = ARROW.exec(lines[at] ?? "");
    const place = PLACE.exec(lines[at + 1]?.trim() ?? "");
    if (!times || !place || previews.length >= PREVIEWS_MAX) continue;
    const [start, end] = [seconds(times[1]), seconds(times[2])];
    const [x = 0, y = 0, width = 0, height = 0] = place.slice(1).map(Number);
    const url = resolve((lines[at + 1] ?? "").trim().replace(PLACE, ""), base);
    if (url?.origin === origin && end > start && width > 0 && height > 0) {
      previews.push({ start, end, url: url.href, x, y, width, height });
    }
  }
  return previews.sort((a, b) => a.start - b.start);
}

/** The picture for this second: the last one that has begun, so that gaps between cues are not empty. */
export function previewAt(previews: readonly Preview[], at: number): Preview | null {
  let [low, high] = [0, previews.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((previews[middle]?.start ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return previews[Math.max(0, low - 1)] ?? null;
}

/** `1:02:03.500` or `02:03.500`; NaN for what is no time. */
function seconds(text = ""): number {
  return text.split(":").reduce((sum, part) => sum * 60 + (part === "" ? NaN : Number(part)), 0);
}

function resolve(url: string, base: string): URL | null {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
}
