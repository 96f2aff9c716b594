/**
 * The watch page of a film and the catalogue, in a real browser, against the fake server or (with `HEADWATER_URL` and
 * `HEADWATER_MEDIA`) the real one: see `stage.mjs`. The films show their own time (`dev/films.mjs`), so that a picture
 * can be held against the clock.
 */
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFilm, SECONDS, SUBTITLES } from "../dev/films.mjs";
import { begin, seekTo, shownSecond, showsPlaces, timeOf, video, watch } from "./film-stage.mjs";
import { awaitPhase, browser, openPage, phaseOf, server, setStage, shoot } from "./stage.mjs";

const ONLY_FAKE = { skip: process.env.HEADWATER_URL ? "needs the fake server" : false };
const PLACES = [0, 13.2, 27, 41.5, 5.3, 88.5, 60, 33.3, 75.7, 2];
const FILMS = { "check film.mp4": "mp4", "check old.flv": "flv", "check sounds.mp4": "sounds", "check speex.flv": "speex", "check sound.mp4": "sound" };

setStage(async () => {
  if (!server.media) return;
  for (const [name, kind] of Object.entries(FILMS)) await makeFilm(server.media, name, kind);
  await makeFilm(server.media, "check hevc.mp4", "hevc", 10);
  await writeFile(join(server.media, "check film.en.vtt"), SUBTITLES);
  await writeFile(join(server.media, "check broken.mp4"), "this is no film");
}, { timeout: 180_000 });
after(async () => {
  for (const name of [...Object.keys(FILMS), "check hevc.mp4", "check film.en.vtt", "check broken.mp4"]) if (server.media) await rm(join(server.media, name), { force: true });
});

async function onStage(t, open, settings) {
  if (!server.media) return t.skip("needs HEADWATER_MEDIA");
  const stage = await openPage(browser, server.url + open, settings);
  t.after(stage.close);
  return stage;
}

for (const [name, kind] of [["check film.mp4", "file"], ["check old.flv", "hls"], ["check sounds.mp4", "hls"]]) {
  test(`${name} plays as ${kind} and shows the right picture at ten places`, async (t) => {
    const { page, wrongs } = (await onStage(t, watch(name))) ?? {};
    if (!page) return;
    await begin(page);
    assert.equal(await page.evaluate(() => document.querySelector("main").dataset.source), kind);
    const from = await timeOf(page);
    await sleep(2000);
    const to = await timeOf(page);
    assert.ok(to - from > 1.2, `the clock went from ${from} to ${to} in two seconds`);
    assert.ok((await video(page, "video.muted")) === false, "a film is not muted unasked");
    assert.ok((await video(page, "video.webkitAudioDecodedByteCount")) > 0, "its sound is decoded");
    await page.getByText("/ 1:30").or(page.getByText("1:30")).first().waitFor();
    await showsPlaces(page, PLACES, SECONDS, `film-${kind}-${name.replace(/\W/g, "-")}`);
    await page.keyboard.press("k");
    await awaitPhase(page, "playing");
    assert.deepEqual(wrongs, []);
  });
}

test("the keys: to and fro, shares, speed, sound, pause, help of pictures", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check film.mp4"))) ?? {};
  if (!page) return;
  await begin(page);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press(" ");
  await awaitPhase(page, "paused");
  const press = async (key, expected) => {
    await page.keyboard.press(key);
    await page.waitForFunction(() => !document.querySelector("video").seeking);
    const at = await timeOf(page);
    assert.ok(Math.abs(at - expected) < 0.3, `${key}: expected ${expected}, at ${at}`);
  };
  await press("5", 45);
  await press("ArrowRight", 50);
  await press("ArrowLeft", 45);
  await press("l", 55);
  await press("j", 45);
  await press(".", 45.04);
  await press("0", 0);
  await press("ArrowLeft", 0);
  await press("9", 81);
  await page.locator(".peek .picture").waitFor();
  await page.waitForFunction(() => getComputedStyle(document.querySelector(".peek .picture")).backgroundImage.includes("sprite"));
  await sleep(400);
  await shoot(page, "film-keys-peek");
  await page.keyboard.press("m");
  assert.equal(await video(page, "video.muted"), true);
  await page.keyboard.press("ArrowUp");
  assert.equal(await video(page, "video.muted"), false);
  for (let i = 0; i < 12; i++) await page.keyboard.press(">");
  assert.equal(await video(page, "video.playbackRate"), 3);
  for (let i = 0; i < 12; i++) await page.keyboard.press("<");
  assert.equal(await video(page, "video.playbackRate"), 0.25);
  const slider = page.getByRole("slider", { name: "Place in the film" });
  await slider.focus();
  await press("Home", 0);
  assert.match(await slider.getAttribute("aria-valuetext"), /^0 seconds of 1 minute 30 seconds$/);
  await press("ArrowRight", 5);
  await page.keyboard.press("k");
  await awaitPhase(page, "playing");
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement !== null);
  await page.keyboard.press("f");
  await page.keyboard.press("i");
  await page.getByRole("complementary", { name: "About this film" }).waitFor();
  await shoot(page, "film-about");
  assert.deepEqual(wrongs, []);
});

test("pointing at the line shows the picture of that place", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check film.mp4"))) ?? {};
  if (!page) return;
  await begin(page);
  const { x, y, width, height } = await page.getByRole("slider", { name: "Place in the film" }).boundingBox();
  await page.mouse.move(x + width * 0.66, y + height / 2);
  const picture = page.locator(".peek .picture");
  await picture.waitFor();
  await sleep(600);
  await shoot(page, "film-peek");
  const near = await page.locator(".peek span").textContent();
  assert.ok(["0:59", "1:00"].includes(near), near);
  // At the rim the picture stays on the page.
  for (const share of [0.001, 0.999]) {
    await page.mouse.move(x + width * share, y + height / 2);
    await sleep(100);
    const box = await page.locator(".peek").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 1280, JSON.stringify(box));
  }
  assert.deepEqual(wrongs, []);
});

test("settings: speed, and the sound tracks and subtitles that there are", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check sounds.mp4"))) ?? {};
  if (!page) return;
  await begin(page);
  await page.getByRole("button", { name: "Settings" }).click();
  const panel = page.getByRole("dialog", { name: "Settings" });
  await panel.getByRole("radio", { name: "1.5×" }).check({ force: true });
  assert.equal(await video(page, "video.playbackRate"), 1.5);
  const sounds = panel.getByRole("group", { name: "Sound" }).getByRole("radio");
  assert.equal(await sounds.count(), 2);
  await sounds.nth(1).check({ force: true });
  await shoot(page, "film-settings");
  await sleep(1500);
  const before = await timeOf(page);
  await sleep(1500);
  assert.ok((await timeOf(page)) - before > 1, "with the other sound it goes on");
  assert.equal(await sounds.nth(1).isChecked(), true);
  await page.keyboard.press("Escape");
  assert.equal(await panel.count(), 0);
  assert.deepEqual(wrongs, []);
});

test("subtitles beside the film are shown when asked for", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check film.mp4"))) ?? {};
  if (!page) return;
  await begin(page);
  await page.getByRole("button", { name: "Subtitles" }).click();
  await page.waitForFunction(() => document.querySelector("video").textTracks[0].activeCues?.length === 1);
  await sleep(300);
  await shoot(page, "film-subtitles");
  await page.keyboard.press("c");
  assert.equal(await video(page, 'video.textTracks[0].mode'), "disabled");
  assert.deepEqual(wrongs, []);
});

test("one who left is offered to go on, and one who came by a link with a time is there", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check film.mp4"))) ?? {};
  if (!page) return;
  await begin(page);
  await page.keyboard.press("5");
  await page.keyboard.press("k");
  await awaitPhase(page, "paused");
  await page.reload();
  const go = page.getByRole("button", { name: /Go on at 0:4\d/ });
  await go.waitFor();
  assert.ok((await timeOf(page)) < 5, "offered, not forced");
  await shoot(page, "film-resume");
  await go.click();
  await awaitPhase(page, "playing");
  assert.ok((await timeOf(page)) > 43);
  assert.equal(await go.count(), 0);
  await page.keyboard.press("End");
  await awaitPhase(page, "ended");
  await shoot(page, "film-ended");
  await page.reload();
  await page.waitForFunction(() => ["ready", "playing"].includes(document.querySelector("main")?.dataset.phase));
  assert.equal(await go.count(), 0, "who saw the end begins anew");
  await page.goto(`${server.url}${watch("check film.mp4", "?t=1m3s")}`);
  await page.waitForFunction(() => document.querySelector("video")?.readyState >= 2);
  assert.ok(Math.abs((await timeOf(page)) - 63) < 2, `${await timeOf(page)}`);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await begin(page);
  await page.getByRole("button", { name: "Copy link at this time" }).click();
  await page.getByText(/Link at 1:\d\d copied/).waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /\/watch\/vod\/check%20film\.mp4\?t=6\d$/);
  assert.deepEqual(wrongs, []);
});

test("what a browser lacks is said: sound of the Flash age, H.265, no film at all", async (t) => {
  const { page } = (await onStage(t, watch("check speex.flv"))) ?? {};
  if (!page) return;
  await begin(page);
  await page.getByText(/Picture only: this browser can’t play Speex sound/).waitFor();
  await sleep(1000);
  const first = await timeOf(page);
  await seekTo(page, 0.5);
  const [, minutes, seconds] = /(\d+):(\d\d)/.exec(await page.locator(".clock").innerText());
  const clock = Number(minutes) * 60 + Number(seconds);
  assert.ok(clock > 20 && Math.abs((await shownSecond(page)) - clock) <= 1, `at ${clock} it shows ${await shownSecond(page)}`);
  assert.ok(first > 0.3);
  await shoot(page, "film-speex");
  await page.goto(server.url + watch("check hevc.mp4"));
  if (await page.evaluate(() => document.createElement("video").canPlayType('video/mp4; codecs="hvc1.1.6.L63.90"') === "")) {
    await page.getByText("This browser can’t play H.265").waitFor();
    await shoot(page, "film-hevc");
  }
  await page.goto(server.url + watch("check broken.mp4"));
  await page.getByText(/This film can’t be (read|played)/).waitFor();
  await shoot(page, "film-broken");
  await page.goto(server.url + watch("check nothing.mp4"));
  await page.getByText("There is no film of this name").waitFor();
  await shoot(page, "film-none");
});

test("a film of sound alone plays", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check sound.mp4"))) ?? {};
  if (!page) return;
  await begin(page);
  await page.getByText("Sound only", { exact: true }).waitFor();
  await sleep(1500);
  assert.ok((await timeOf(page)) > 0.8);
  await shoot(page, "film-sound");
  assert.deepEqual(wrongs, []);
});

test("a film page fits a phone", async (t) => {
  const { page, wrongs } = (await onStage(t, watch("check film.mp4"), { size: [360, 740] })) ?? {};
  if (!page) return;
  await begin(page);
  await page.getByRole("button", { name: "Settings" }).click();
  await sleep(200);
  await shoot(page, "film-phone-settings");
  await page.keyboard.press("Escape");
  const outside = await page.evaluate(() =>
    [...document.querySelectorAll("button, a, h1, input, .clock")]
      .filter((e) => e.getClientRects().length > 0)
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
      .map((e) => e.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(outside, []);
  await shoot(page, "film-phone");
  assert.deepEqual(wrongs, []);
});

const card = (page, name) => page.getByRole("article").filter({ has: page.getByRole("heading", { name, exact: true }) });

test("the catalogue: pictures, figures, search, addresses, and a film that can't be read", async (t) => {
  const { page, wrongs } = (await onStage(t, "/#films", { scheme: "light" })) ?? {};
  if (!page) return;
  await card(page, "check film.mp4").waitFor();
  await card(page, "check film.mp4").getByText(/H\.264 640 × 360 · AAC/).waitFor();
  await card(page, "check film.mp4").getByText("1:30").waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll("article img")].some((picture) => picture.complete && picture.naturalWidth > 0));
  await sleep(1500);
  await shoot(page, "films-light");
  await page.getByRole("searchbox", { name: "Search films" }).fill("OLD");
  await page.getByText("1 film found").waitFor();
  assert.match(page.url(), /#films\?search=OLD$/);
  await page.reload();
  await card(page, "check old.flv").waitFor();
  assert.equal(await page.getByRole("article").count(), 1);
  await page.getByRole("searchbox", { name: "Search films" }).fill("no such thing");
  await page.getByText("No film has “no such thing” in its name.").waitFor();
  await page.getByRole("searchbox", { name: "Search films" }).fill("");
  await card(page, "check film.mp4").getByRole("link", { name: "Watch check film.mp4" }).click();
  await page.waitForFunction(() => document.querySelector("main")?.dataset.source === "file");
  assert.deepEqual(wrongs.filter((wrong) => !/ERR_|404|50\d/.test(wrong)), []);
});

test("the catalogue is empty, paged, dark, small", ONLY_FAKE, async (t) => {
  const { startFake } = await import("../dev/fake-server.mjs");
  const own = await startFake({ streams: [] });
  const { page, close } = await openPage(browser, `${own.url}/#films`, { size: [390, 844] });
  t.after(async () => (await close(), await own.close()));
  await page.getByText("There are no films yet").waitFor();
  await shoot(page, "films-empty-phone");
  for (let i = 0; i < 60; i++) await writeFile(join(own.films.folder, `film ${String(i).padStart(2, "0")} <img src=x onerror=window.hit=1>.mp4`), "x");
  await page.reload();
  await page.getByText("Page 1 of 3").waitFor();
  await page.getByRole("link", { name: "Next" }).click();
  await page.getByText("Page 2 of 3").waitFor();
  await page.getByRole("heading", { name: /^film 24/ }).waitFor();
  await shoot(page, "films-phone");
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await page.goBack();
  await page.getByText("Page 1 of 3").waitFor();
  own.films.locked = true;
  await page.reload();
  await page.getByRole("link", { name: "Log in" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Choose files" }).count(), 0);
});

/** A film that takes several pieces, made once. */
async function bigFile(t, name) {
  const path = await makeFilm(tmpdir(), name, "mp4", 60);
  const { appendFile, stat } = await import("node:fs/promises");
  // A `free` box makes it larger without making it another film.
  const free = Buffer.alloc(20 * 1024 * 1024);
  free.writeUInt32BE(free.length, 0);
  free.write("free", 4);
  await appendFile(path, free);
  t.after(() => rm(path, { force: true }));
  return { path, bytes: (await stat(path)).size };
}

test("an upload is paused and goes on, is cut off and goes on by itself, survives a reload, and plays", async (t) => {
  const { page, wrongs } = (await onStage(t, "/#films")) ?? {};
  if (!page) return;
  const name = `check upload ${process.pid}.mp4`;
  const { path } = await bigFile(t, name);
  t.after(() => rm(join(server.media, name), { force: true }));
  // Slow enough that there is something to pause.
  const cdp = await page.context().newCDPSession(page);
  const throttle = (bytes) => cdp.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes });
  await cdp.send("Network.enable");
  await throttle(4 * 1024 * 1024);
  const choose = async () => {
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Choose files" }).click();
    await (await chooser).setFiles(path);
  };
  const percent = () => page.locator("progress").evaluate((bar) => bar.value);
  await page.getByRole("button", { name: "Choose files" }).waitFor();
  await choose();
  await page.waitForFunction(() => document.querySelector("progress")?.value > 5, null, { timeout: 20_000 });
  await shoot(page, "films-uploading");
  if (server.fake) server.fake.films.breakUploadAfter = 9 * 1024 * 1024;
  await page.getByRole("button", { name: /^Pause/ }).click();
  await page.getByText(/· paused/).waitFor();
  const held = await percent();
  await sleep(1200);
  assert.equal(await percent(), held, "paused, but it goes on");
  await page.getByRole("button", { name: /^Go on/ }).click();
  await page.waitForFunction(() => document.querySelector("progress")?.value > 42, null, { timeout: 30_000 });
  // A page that is sending asks before it goes; this one has stopped.
  await page.getByRole("button", { name: /^Pause/ }).click();
  await page.reload();
  await page.getByText(/% is on the server. Choose the same file again/).waitFor();
  await shoot(page, "films-unfinished");
  const cdpAgain = await page.context().newCDPSession(page);
  await cdpAgain.send("Network.enable");
  await choose();
  await page.getByText(/· uploaded/).waitFor({ timeout: 60_000 });
  await card(page, name).waitFor();
  await page.getByRole("link", { name: "Watch", exact: true }).click();
  await begin(page);
  await seekTo(page, 0.5);
  assert.ok(Math.abs((await shownSecond(page)) - 30) <= 1);
  // The broken connection itself, and that the server’s count was another, are in the browser's log; what else went wrong is not allowed.
  assert.deepEqual(wrongs.filter((wrong) => !/ERR_|409|^dialog: /.test(wrong)), []);
});

test("what is no film is refused at once; a name that is taken is asked about", async (t) => {
  const { page } = (await onStage(t, "/#films")) ?? {};
  if (!page) return;
  const path = await makeFilm(tmpdir(), "check film.mp4", "mp4", 10);
  t.after(() => rm(path, { force: true }));
  t.after(() => makeFilm(server.media, "check film.mp4", "mp4"));
  const field = page.locator("input[type=file]");
  await field.waitFor({ state: "attached" });
  await field.setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("x") });
  await page.getByText(/Films are MP4/).waitFor();
  await field.setInputFiles(path);
  await page.getByRole("button", { name: "Replace it" }).waitFor();
  await shoot(page, "films-taken");
  await page.getByRole("button", { name: "Replace it" }).click();
  await page.getByText(/· uploaded/).waitFor();
  await card(page, "check film.mp4").getByText("0:10").waitFor();
});

test("a file is dropped onto the page", async (t) => {
  const { page } = (await onStage(t, "/#films")) ?? {};
  if (!page) return;
  await page.getByText("Drop films here").waitFor();
  const transfer = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], "dropped.avi"));
    return data;
  });
  await page.dispatchEvent("body", "dragover", { dataTransfer: transfer });
  await page.getByText("Let go to upload").waitFor();
  await shoot(page, "films-drop");
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await page.getByText("dropped.avi").waitFor();
  await page.getByText("Drop films here").waitFor();
});

test("a film is deleted after a question, and only then", async (t) => {
  const { page, wrongs } = (await onStage(t, "/#films")) ?? {};
  if (!page) return;
  const name = "check doomed.mp4";
  await makeFilm(server.media, name, "sound", 5);
  t.after(() => rm(join(server.media, name), { force: true }));
  await page.reload();
  await card(page, name).getByRole("button", { name: `Delete ${name}` }).click();
  const question = page.getByRole("dialog");
  await question.waitFor();
  await shoot(page, "films-delete");
  await page.keyboard.press("Enter");
  await question.waitFor({ state: "hidden" });
  await sleep(300);
  assert.equal(await card(page, name).count(), 1, "the first answer is to keep it");
  await card(page, name).getByRole("button", { name: `Delete ${name}` }).click();
  await question.getByRole("button", { name: "Delete", exact: true }).click();
  await card(page, name).waitFor({ state: "detached" });
  assert.equal((await fetch(`${server.url}/api/v1/films/vod/${encodeURIComponent(name)}`)).status, 404);
  assert.deepEqual(wrongs, []);
});

test("a live stream's page asks nothing about films before it plays", ONLY_FAKE, async (t) => {
  const end = await server.publish("live/check fast", "av");
  t.after(end);
  const { page } = await onStage(t, "/");
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${server.url}/watch/live/check%20fast`);
  await awaitPhase(page, "playing");
  assert.deepEqual(asked.filter((path) => /films|hls|FilmPage/.test(path)), []);
});
