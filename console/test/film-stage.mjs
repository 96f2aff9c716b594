/** What the checks of films do on a page: begin, seek, and read from the picture which second it shows. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { BITS } from "../dev/films.mjs";
import { awaitPhase, phaseOf, shoot } from "./stage.mjs";

export const watch = (name, more = "") => `/watch/vod/${encodeURIComponent(name)}${more}`;

export const video = (page, ask) => page.evaluate((body) => new Function("video", `return ${body}`)(document.querySelector("video")), ask);
export const timeOf = (page) => video(page, "video.currentTime");

/** Without a gesture the page waits with its large button. */
export async function begin(page) {
  await page.waitForFunction(() => ["ready", "playing"].includes(document.querySelector("main")?.dataset.phase), null, { timeout: 20_000 });
  if ((await phaseOf(page)) === "ready") await page.getByRole("button", { name: "Play the film" }).click();
  await awaitPhase(page, "playing");
}

/** The second that the picture shows, read from its boxes. */
export const shownSecond = (page) =>
  page.evaluate((bits) => {
    const element = document.querySelector("video");
    const [width, height] = [bits * 8, 40];
    const paint = new OffscreenCanvas(width, height).getContext("2d");
    paint.drawImage(element, 0, 0, width, height);
    const { data } = paint.getImageData(0, height - 2, width, 1);
    return Array.from({ length: bits }, (_, bit) => (data[(bit * 8 + 4) * 4] > 128 ? 2 ** bit : 0)).reduce((sum, value) => sum + value, 0);
  }, BITS);

export async function seekTo(page, share) {
  const { x, y, width, height } = await page.getByRole("slider", { name: "Place in the film" }).boundingBox();
  await page.mouse.click(x + width * share, y + height / 2);
  await page.waitForFunction(() => !document.querySelector("video").seeking && document.querySelector("video").readyState >= 2, null, { timeout: 20_000 });
  await sleep(150);
}

/** Goes to each place, in seconds, by the line; the picture must be of the second that the clock says. */
export async function showsPlaces(page, places, seconds, name) {
  await page.keyboard.press("k");
  await awaitPhase(page, "paused");
  const { width } = await page.getByRole("slider", { name: "Place in the film" }).boundingBox();
  // A long film has more seconds than the line has points.
  const near = Math.max(0.3, seconds / width);
  for (const [index, place] of places.entries()) {
    await seekTo(page, place / seconds);
    const [time, shown] = [await timeOf(page), await shownSecond(page)];
    await shoot(page, `${name}-place-${index}`);
    assert.ok(Math.abs(time - place) < near, `asked for ${place}, at ${time}`);
    assert.ok(Math.abs(shown + 0.5 - time) <= 0.6, `at ${time} the picture shows second ${shown}`);
  }
}
