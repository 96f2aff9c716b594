/**
 * Where a viewer left a film: kept in this browser only, offered the next time, forgotten near the end. The rules
 * are pure; the storage is an argument.
 */

export interface Left {
  /** Seconds. */
  at: number;
  /** The length of the film then: a file of another length under the same name is another film. */
  of: number;
  /** When, in milliseconds since 1970: the oldest are forgotten first. */
  when: number;
}

type Shelf = Record<string, Left>;
export type Keep = Pick<Storage, "getItem" | "setItem">;

const SHELF = "headwater.films";
const FILMS_MAX = 100;
/** Shorter films are begun anew; so is one that was hardly begun. */
const SHORTEST_S = 60;
const HARDLY_BEGUN_S = 15;
/** The credits: the last twentieth, but never more than three minutes. */
const CREDITS_SHARE = 0.05;
const CREDITS_MOST_S = 180;

export function worthKeeping(at: number, of: number): boolean {
  const credits = Math.min(of * CREDITS_SHARE, CREDITS_MOST_S);
  return of >= SHORTEST_S && at >= HARDLY_BEGUN_S && at < of - credits;
}

/** Where to go on, in seconds, or `null`. */
export function whereLeft(keep: Keep, film: string, of: number): number | null {
  const left = read(keep)[film];
  if (!left || Math.abs(left.of - of) > 1 || !worthKeeping(left.at, of)) return null;
  return left.at;
}

/** Keeps the place, or forgets it where it is not worth keeping. */
export function leave(keep: Keep, film: string, at: number, of: number, now: number): void {
  const shelf = read(keep);
  if (worthKeeping(at, of)) shelf[film] = { at, of, when: now };
  else if (film in shelf) delete shelf[film];
  else return;
  const films = Object.entries(shelf).sort(([, a], [, b]) => b.when - a.when);
  try {
    keep.setItem(SHELF, JSON.stringify(Object.fromEntries(films.slice(0, FILMS_MAX))));
  } catch {
    // A browser that keeps nothing plays all the same.
  }
}

function read(keep: Keep): Shelf {
  const shelf: Shelf = {};
  try {
    const kept: unknown = JSON.parse(keep.getItem(SHELF) ?? "{}");
    for (const [film, left] of Object.entries(kept ?? {})) {
      if (isLeft(left)) shelf[film] = left;
    }
  } catch {
    // Not ours, or nothing at all.
  }
  return shelf;
}

function isLeft(value: unknown): value is Left {
  const left = value as Partial<Left> | null;
  return [left?.at, left?.of, left?.when].every((figure) => typeof figure === "number" && Number.isFinite(figure));
}
