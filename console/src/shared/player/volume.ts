/** The sound of a player: muting, and the volume that the viewer likes, which this browser keeps. */

const STORAGE_KEY = "headwater.volume";

/** What of a `<video>` the sound is. */
export type Sounding = Pick<HTMLVideoElement, "volume" | "muted">;

export function setVolume(element: Sounding, to: number): void {
  element.volume = to;
  element.muted = to === 0;
  rememberVolume(to);
}

export function toggleMuted(element: Sounding): void {
  element.muted = !element.muted;
  if (!element.muted && element.volume === 0) element.volume = 0.5;
}

export function rememberedVolume(): number {
  try {
    const kept = Number(localStorage.getItem(STORAGE_KEY) ?? 1);
    return kept > 0 && kept <= 1 ? kept : 1;
  } catch {
    return 1;
  }
}

function rememberVolume(volume: number): void {
  try {
    if (volume > 0) localStorage.setItem(STORAGE_KEY, String(volume));
  } catch {
    // A browser that keeps nothing plays all the same.
  }
}
