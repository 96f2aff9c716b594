/**
 * Where a viewer left a film: kept in this browser only, offered the next time, forgotten near the end. The rules
 * are pure; the storage is an argument.
 */

export interface ResumePoint {
  /** Seconds. */
  at: number;
  /** The length of the film then: a file of another length under the same name is another film. */
  of: number;
  /** When, in milliseconds since 1970: the oldest are forgotten first. */
  when: number;
}

export type Store = Pick<Storage, "getItem" | "setItem">;

const STORAGE_KEY = "headwater.films";
const FILMS_MAX = 100;
/** Shorter films are begun anew; so is one that was hardly begun. */
const FILM_MIN_S = 60;
const PLAYED_MIN_S = 15;
/** The credits: the last twentieth, but never more than three minutes. */
const CREDITS_SHARE = 0.05;
const CREDITS_MAX_S = 180;

export function isWorthResuming(at: number, of: number): boolean {
  const credits = Math.min(of * CREDITS_SHARE, CREDITS_MAX_S);
  return of >= FILM_MIN_S && at >= PLAYED_MIN_S && at < of - credits;
}

/** Where to go on, in seconds, or `null`. */
export function resumeTime(store: Store, film: string, of: number): number | null {
  const point = read(store)[film];
  if (!point || Math.abs(point.of - of) > 1 || !isWorthResuming(point.at, of)) return null;
  return point.at;
}

/** Keeps the place, or forgets it where it is not worth keeping. */
export function saveResumePoint(store: Store, film: string, at: number, of: number, now: number): void {
  const points = read(store);
  if (isWorthResuming(at, of)) points[film] = { at, of, when: now };
  else if (film in points) delete points[film];
  else return;
  const films = Object.entries(points).sort(([, a], [, b]) => b.when - a.when);
  try {
    store.setItem(STORAGE_KEY, JSON.stringify(Object.fromEntries(films.slice(0, FILMS_MAX))));
  } catch {
    // A browser that keeps nothing plays all the same.
  }
}

function read(store: Store): Record<string, ResumePoint> {
  const points: Record<string, ResumePoint> = {};
  try {
    const kept: unknown = JSON.parse(store.getItem(STORAGE_KEY) ?? "{}");
    for (const [film, point] of Object.entries(kept ?? {})) {
      if (isResumePoint(point)) points[film] = point;
    }
  } catch {
    // Not ours, or nothing at all.
  }
  return points;
}

function isResumePoint(value: unknown): value is ResumePoint {
  const point = value as Partial<ResumePoint> | null;
  return [point?.at, point?.of, point?.when].every((figure) => typeof figure === "number" && Number.isFinite(figure));
}
