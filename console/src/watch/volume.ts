/** The volume that the viewer likes, kept in this browser. */
const VOLUME = "headwater.volume";

export function rememberedVolume(): number {
  try {
    const kept = Number(localStorage.getItem(VOLUME) ?? 1);
    return kept > 0 && kept <= 1 ? kept : 1;
  } catch {
    return 1;
  }
}

export function rememberVolume(volume: number): void {
  try {
    if (volume > 0) localStorage.setItem(VOLUME, String(volume));
  } catch {
    // A browser that keeps nothing plays all the same.
  }
}
