/**
 * The pictures above the timeline: a WebVTT file whose cues name a rectangle of a larger picture
 * (`sprite-0.jpg#xywh=160,90,160,90`). Whatever comes, it gives the cues that make sense and drops the rest.
 */
import { withQuery } from "../shared/address.ts";

export interface Thumbnail {
  /** Seconds: from `start` up to, not including, `end`. */
  start: number;
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const CUE_TIMES = /^\s*([\d:.]+)\s+-->\s+([\d:.]+)/;
const RECTANGLE = /#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/;
const THUMBNAILS_MAX = 20_000;

/**
 * `url`: of the WebVTT file; `query` goes with it and with every picture. Empty where the server has none (of a film
 * without key frames that it can draw, for one); `null` where another try may do.
 */
export async function fetchThumbnails(url: string, query: string): Promise<Thumbnail[] | null> {
  try {
    const base = withQuery(url, query);
    const response = await fetch(base);
    if (!response.ok) return response.status === 404 ? [] : null;
    return parseThumbnails(await response.text(), base).map((one) => ({ ...one, url: withQuery(one.url, query) }));
  } catch {
    return null;
  }
}

/** Pure. `base`: the address of the file itself. Pictures of other servers are not shown. Sorted by time. */
export function parseThumbnails(text: string, base: string): Thumbnail[] {
  const thumbnails: Thumbnail[] = [];
  const origin = new URL(base).origin;
  for (const block of text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => CUE_TIMES.test(line));
    const times = CUE_TIMES.exec(lines[at] ?? "");
    const place = RECTANGLE.exec(lines[at + 1]?.trim() ?? "");
    if (!times || !place || thumbnails.length >= THUMBNAILS_MAX) continue;
    const [start, end] = [seconds(times[1]), seconds(times[2])];
    const [x = 0, y = 0, width = 0, height = 0] = place.slice(1).map(Number);
    const url = resolve((lines[at + 1] ?? "").trim().replace(RECTANGLE, ""), base);
    if (url?.origin === origin && end > start && width > 0 && height > 0) {
      thumbnails.push({ start, end, url: url.href, x, y, width, height });
    }
  }
  return thumbnails.sort((a, b) => a.start - b.start);
}

/** The picture for this second: the last one that has begun, so that gaps between cues are not empty. */
export function thumbnailAt(thumbnails: readonly Thumbnail[], at: number): Thumbnail | null {
  let [low, high] = [0, thumbnails.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((thumbnails[middle]?.start ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return thumbnails[Math.max(0, low - 1)] ?? null;
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
