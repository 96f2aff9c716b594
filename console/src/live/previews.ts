/**
 * Pictures of places in a live stream, over its line. The server makes each of the key frame there, when it is asked: so one
 * is asked for at a time, and of places that were passed over meanwhile only the last.
 */
import { withQuery } from "../shared/address.ts";

export interface Preview {
  url: string;
  width: number;
  height: number;
}

/** As wide as a picture is asked for, in pixels: for a screen with two of them for each of the page's. */
const WIDTH = 400;
/** Places in between have the same picture, in seconds: key frames are seldom nearer to each other. */
const STEP_S = 2;

/** `thumbnail`: the address of the stream's picture. */
export function pictureUrl(thumbnail: string, { from, to }: { from: number; to: number }, at: number): string {
  const step = Math.min(to, Math.max(from, Math.floor(at / STEP_S) * STEP_S));
  return withQuery(thumbnail, `?t=${step.toFixed(1)}&width=${WIDTH}`);
}

/** `null` where there is none. */
export async function loadPicture(url: string): Promise<Preview | null> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  return { url, width: image.naturalWidth, height: image.naturalHeight };
}

export class Previews {
  readonly #load: (url: string) => Promise<Preview | null>;
  readonly #show: (preview: Preview | null) => void;
  #wanted: string | null = null;
  #busy = false;

  /** `show` is told what is to be seen: until a picture is there, the one before it. */
  constructor(load: (url: string) => Promise<Preview | null>, show: (preview: Preview | null) => void) {
    this.#load = load;
    this.#show = show;
  }

  /** `null`: no place is looked at any more. */
  want(url: string | null): void {
    if (url === this.#wanted) return;
    this.#wanted = url;
    if (url === null) this.#show(null);
    else if (!this.#busy) void this.#fetch();
  }

  async #fetch(): Promise<void> {
    this.#busy = true;
    for (let url = this.#wanted, had: string | null = null; url !== null && url !== had; url = this.#wanted) {
      const preview = await this.#load(url);
      had = url;
      if (this.#wanted !== null) this.#show(preview);
    }
    this.#busy = false;
  }
}
