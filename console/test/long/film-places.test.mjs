/**
 * Films of an hour, of every kind and from every source, at many places each: `npm run test:long`, with the real server
 * (see `stage.mjs`). The fake server would cut them with ffmpeg, which is not what is looked at here.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LONG_SECONDS, makeFilm } from "../../dev/films.mjs";
import { begin, seekTo, shownSecond, showsPlaces, timeOf, watch } from "../film-stage.mjs";
import { awaitPhase, openBrowser, openPage, openServer } from "../stage.mjs";

/** The same forty each time, in no order: steps of a prime around the film. */
const PLACES = Array.from({ length: 40 }, (_, index) => ((index * 1637 + 7) % (LONG_SECONDS - 5)) + 0.4);
const FILMS = [
  ["long film.mp4", "mp4", "file"],
  ["long old.flv", "flv", "hls"],
  ["long sounds.mp4", "sounds", "hls"],
  ["long speex.flv", "speex", "flv"],
];
const ONLY_REAL = { skip: process.env.HEADWATER_URL && process.env.HEADWATER_MEDIA ? false : "needs the real server" };

let server;
let browser;
before(async () => {
  if (ONLY_REAL.skip) return;
  server = await openServer();
  browser = await openBrowser();
  for (const [name, kind] of FILMS) await makeFilm(server.media, name, kind, LONG_SECONDS);
}, { timeout: 3_600_000 });
after(async () => {
  for (const [name] of FILMS) if (server) await rm(join(server.media, name), { force: true });
  await browser?.close();
  await server?.close();
});

for (const [name, , kind] of FILMS) {
  test(`${name} from ${kind} shows the right picture at forty places, and plays on`, ONLY_REAL, async (t) => {
    const { page, wrongs, close } = await openPage(browser, server.url + watch(name));
    t.after(close);
    await begin(page);
    assert.equal(await page.evaluate(() => document.querySelector("main").dataset.source), kind);
    if (kind === "flv") await showsPlacesByClock(page);
    else await showsPlaces(page, PLACES, LONG_SECONDS, `long-${name.replace(/\W/g, "-")}`);
    if ((await page.evaluate(() => document.querySelector("main").dataset.phase)) === "paused") await page.keyboard.press("k");
    await awaitPhase(page, "playing");
    const from = await timeOf(page);
    await sleep(20_000);
    const played = (await timeOf(page)) - from;
    assert.ok(played > 17, `${played} seconds of the film in twenty`);
    assert.deepEqual(wrongs, []);
  });
}

/** Through mpegts.js the element counts from the last seek: only the page knows which second of the film it is. */
async function showsPlacesByClock(page) {
  for (const place of PLACES) {
    await seekTo(page, place / LONG_SECONDS);
    await awaitPhase(page, "playing", 20_000);
    const clock = (await page.locator(".clock").innerText()).match(/\d+(?::\d\d)+/)[0].split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
    const shown = await shownSecond(page);
    assert.ok(Math.abs(clock - place) < 10, `asked for ${place}, at ${clock}`);
    assert.ok(Math.abs(shown - clock) <= 1, `at ${clock} the picture shows second ${shown}`);
  }
}
