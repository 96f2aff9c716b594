/** Recording and clips by the console: begun and ended on a stream's card, cut, kept as films, renamed, deleted. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as MP4Box from "mp4box";
import { browser, openPage, server, setStage, shoot } from "./stage.mjs";

/** Of which streams of the app `live` are recorded on demand. */
const ONLY_REAL = { skip: process.env.HEADWATER_URL ? false : "needs the real server", timeout: 120_000 };
const ONLY_FAKE = { skip: process.env.HEADWATER_URL ? "needs the fake server" : false };

setStage();

async function onConsole(t, name, settings) {
  const end = await server.publish(`live/${name}`, "av");
  const stage = await openPage(browser, `${server.url}/`, settings);
  t.after(async () => {
    await stage.close();
    await end();
  });
  const card = stage.page.getByRole("article").filter({ hasText: name });
  await card.waitFor();
  return { ...stage, card, end };
}

const recordings = async () => (await (await fetch(`${server.url}/api/v1/films?app=recordings`)).json()).films ?? [];
const gone = async (name) => fetch(`${server.url}/api/v1/films/recordings/${name.split("/").map(encodeURIComponent).join("/")}`, { method: "DELETE" });

/** How long an MP4 is shown, and of which tracks it is, as mp4box.js reads it. */
async function readMp4(path) {
  const bytes = await readFile(path);
  const file = MP4Box.createFile();
  const info = new Promise((resolve, reject) => {
    file.onReady = resolve;
    file.onError = reject;
  });
  file.appendBuffer(MP4Box.MP4BoxBuffer.fromArrayBuffer(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), 0));
  file.flush();
  const { duration, timescale, tracks } = await info;
  return { seconds: duration / timescale, kinds: tracks.map((track) => track.type).sort() };
}

test("a stream is recorded from its card, which says since when and where, until it is told to end", async (t) => {
  const { page, card, wrongs } = await onConsole(t, "to be kept", { size: [390, 844], scheme: "light" });
  await card.getByText("Not recorded").waitFor();
  await card.getByRole("button", { name: "Record: to be kept" }).click();
  await card.getByText(/Recorded since \d\d:\d\d/).waitFor({ timeout: 10_000 });
  assert.ok(await card.locator(".badge.recorded").isVisible());
  const file = await card.locator(".recording a").getAttribute("href");
  assert.match(file, /^\/watch\/recordings\/live\/to%20be%20kept\/[^/]+\.mp4$/);
  await page.mouse.move(0, 0);
  await shoot(page, "recording-card");
  await card.getByRole("button", { name: "Stop recording: to be kept" }).click();
  await card.getByText("Not recorded").waitFor({ timeout: 10_000 });
  assert.equal(await card.locator(".badge.recorded").count(), 0);
  assert.deepEqual(wrongs, []);
  if (!server.fake) for (const { name } of await recordings()) if (name.startsWith("live/to be kept/")) await gone(name);
});

test("a card says what a recording waits for, and takes the wish back", ONLY_FAKE, async (t) => {
  const { page, card, wrongs } = await onConsole(t, "in waiting");
  const stream = server.fake.stream("live/in waiting");
  for (const [awaits, text] of [["awaits-keyframe", "Waits for a keyframe…"], ["awaits-disk", "Waits for the disk…"]]) {
    stream.awaits = awaits;
    await card.getByRole("button", { name: "Record: in waiting" }).click();
    const stop = card.getByRole("button", { name: "Stop recording: in waiting" });
    await stop.and(page.locator(":enabled")).waitFor({ timeout: 10_000 });
    await card.getByText(text).waitFor();
    assert.equal(await card.locator(".badge.recorded").count(), 0);
    await stop.click();
    await card.getByText("Not recorded").waitFor({ timeout: 10_000 });
  }
  stream.awaits = null;
  assert.deepEqual(wrongs, []);
});

test("what an app's policy forbids is not offered", ONLY_FAKE, async (t) => {
  const end = await server.publish("live/not kept", "av");
  server.fake.stream("live/not kept").record = "never";
  const { page, close } = await openPage(browser, `${server.url}/`);
  t.after(async () => {
    await close();
    await end();
  });
  const card = page.getByRole("article").filter({ hasText: "not kept" });
  await card.waitFor();
  assert.deepEqual([await card.locator(".recording").count(), await card.getByRole("button", { name: /^Clip of/ }).count()], [0, 0]);
});

test("a clip of what is live is fetched, kept as a film, renamed and deleted", ONLY_REAL, async (t) => {
  const { page, card, wrongs } = await onConsole(t, "to be cut");
  await sleep(5000);
  await card.getByRole("button", { name: "Clip of to be cut" }).click();
  const dialog = page.getByRole("dialog");
  const value = async (label) => Number(await dialog.getByLabel(label, { exact: true }).inputValue());
  const [from, until] = [await value("From"), await value("To")];
  assert.ok(from === 0 && until > 4 && until < 60, `the last minute is offered, or all: ${from} to ${until}`);
  await dialog.getByLabel("To", { exact: true }).fill("0");
  await dialog.getByText("The end has to be behind the start, and the start within what there is.").waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Download" }).isDisabled());
  await dialog.getByLabel("From", { exact: true }).fill("1");
  await dialog.getByLabel("To", { exact: true }).fill("3.5");
  await dialog.getByText("0:02.5 long, from 0:01 to 0:03.5").waitFor();
  await shoot(page, "clip");

  for (const [format, name] of [["mp4", /\.mp4$/], ["flv", /\.flv$/]]) {
    await dialog.getByLabel("Format").selectOption(format);
    const coming = page.waitForEvent("download");
    await dialog.getByRole("button", { name: "Download" }).click();
    const got = await coming;
    assert.match(got.suggestedFilename(), name);
    if (format === "flv") assert.equal((await readFile(await got.path())).subarray(0, 3).toString(), "FLV");
    else {
      const { seconds, kinds } = await readMp4(await got.path());
      assert.ok(Math.abs(seconds - 2.5) < 0.1, `${seconds} s`);
      assert.deepEqual(kinds, ["audio", "video"]);
    }
  }

  await dialog.getByLabel("Format").selectOption("mp4");
  await dialog.getByLabel("Name among the recordings").fill("clips/goal of the day");
  await dialog.getByRole("button", { name: "Keep as a film" }).click();
  assert.equal(await dialog.getByRole("status").getByRole("link").getAttribute("href"), "/watch/recordings/clips/goal%20of%20the%20day.mp4");
  await dialog.getByRole("button", { name: "Keep as a film" }).click();
  await dialog.getByRole("alert").getByText(/already/).waitFor();
  await shoot(page, "clip-kept");
  assert.deepEqual(wrongs.splice(0).filter((wrong) => !wrong.includes("409")), []);

  await page.goto(`${server.url}/#films`);
  const film = page.getByRole("article").filter({ hasText: "goal of the day" });
  await film.getByRole("button", { name: "Rename clips/goal of the day.mp4" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("clips/goal of the year");
  await shoot(page, "film-rename");
  await page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  const renamed = page.getByRole("article").filter({ hasText: "goal of the year" });
  await renamed.waitFor();
  assert.equal(await film.count(), 0);
  await renamed.getByRole("button", { name: /^Clip of/ }).click();
  await page.getByRole("dialog").getByText("There is 0:00 to 0:02").waitFor();
  await page.keyboard.press("Escape");
  await renamed.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await renamed.waitFor({ state: "detached" });
  assert.deepEqual(wrongs, []);
});

test("a recording that grows is a film, marked, and neither renamed nor deleted until it has ended", ONLY_REAL, async (t) => {
  const { page, card, wrongs } = await onConsole(t, "to be watched", { size: [390, 844] });
  await card.getByRole("button", { name: "Record: to be watched" }).click();
  await card.getByText(/^Recorded since/).waitFor({ timeout: 10_000 });
  await page.goto(`${server.url}/#films`);
  const film = page.getByRole("article").filter({ hasText: "live/to be watched/" });
  await film.getByText("Recording", { exact: true }).waitFor();
  for (const name of [/^Rename/, /^Delete/]) assert.ok(await film.getByRole("button", { name }).isDisabled());
  await film.scrollIntoViewIfNeeded();
  await shoot(page, "film-growing");
  await fetch(`${server.url}/api/v1/recordings/live/to%20be%20watched`, { method: "DELETE" });
  await film.getByText("Recording", { exact: true }).waitFor({ state: "detached", timeout: 15_000 });
  await film.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await film.waitFor({ state: "detached" });
  assert.deepEqual(wrongs, []);
});
