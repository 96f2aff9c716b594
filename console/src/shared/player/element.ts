/** What both players do with the `<video>`, the stage around it and the browser they are in. */

/** `MediaSource.isTypeSupported`; always no without Media Source Extensions. */
export function isTypeSupported(type: string): boolean {
  const source = window.MediaSource ?? (window as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource;
  return source?.isTypeSupported(type) ?? false;
}

export async function toggleFullscreen(stage: HTMLElement | undefined, video: HTMLVideoElement | undefined): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (stage?.requestFullscreen) await stage.requestFullscreen().catch(() => {});
  else (video as { webkitEnterFullscreen?: () => void } | undefined)?.webkitEnterFullscreen?.();
}

export async function togglePip(video: HTMLVideoElement | undefined): Promise<void> {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await video?.requestPictureInPicture?.().catch(() => {});
}
