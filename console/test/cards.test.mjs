/** What a card of the console offers beside its figures: the link, a QR code, a frame to embed, stopping, what is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import jsQR from "jsqr";
import { awaitPhase, browser, openPage, server, setStage, shoot } from "./stage.mjs";

setStage();

const ONLY_FAKE = { skip: process.env.HEADWATER_URL ? "needs the fake server" : false };
const ONLY_REAL = { skip: process.env.HEADWATER_URL ? false : "needs the real server" };

async function onConsole(t, path, settings) {
  const end = await server.publish(path, "av");
  const stage = await openPage(browser, `${server.url}/`, settings);
  t.after(async () => {
    await stage.close();
    await end();
  });
  const name = path.split("/").slice(1).join("/");
  const card = stage.page.getByRole("article").filter({ hasText: name });
  await card.waitFor();
  return { ...stage, card, name };
}

test("the QR code of a stream is read as the link of its watch page, which can be copied and framed", async (t) => {
  const { page, card, name, wrongs } = await onConsole(t, "live/shared stream ü");
  const link = `${server.url}/watch/live/${encodeURIComponent(name)}`;
  await card.getByRole("button", { name: `Share ${name}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("img", { name: "QR code of the link" }).waitFor();
  const { data, width, height } = await dialog.locator("svg.code").evaluate(async (svg) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const canvas = new OffscreenCanvas(600, 600);
    const paint = canvas.getContext("2d");
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, 600, 600);
    paint.fillStyle = "#000";
    paint.scale(600 / svg.viewBox.baseVal.width, 600 / svg.viewBox.baseVal.height);
    paint.fill(new Path2D(copy.querySelector("path").getAttribute("d")));
    const { data } = paint.getImageData(0, 0, 600, 600);
    return { data: [...data], width: 600, height: 600 };
  });
  assert.equal(jsQR(Uint8ClampedArray.from(data), width, height)?.data, link);
  assert.ok((await dialog.innerText()).includes(`<iframe src="${link}"`), "the frame to copy");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await dialog.getByRole("button", { name: "Copy Frame" }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^<iframe src="http:.*" width="640" height="360" .*><\/iframe>$/);
  await shoot(page, "console-share");
  await dialog.getByRole("button", { name: "Close" }).click();
  await card.getByRole("button", { name: "Copy Link" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  assert.deepEqual(wrongs, []);
});

test("a stream is stopped from its card, after a question", async (t) => {
  const { page, card, name } = await onConsole(t, "live/to be stopped");
  await card.getByRole("button", { name: `Stop ${name}` }).click();
  const dialog = page.getByRole("dialog");
  await shoot(page, "console-stop");
  await dialog.getByRole("button", { name: "Let it go on" }).click();
  assert.equal((await (await fetch(`${server.url}/api/v1/streams/live/to%20be%20stopped`)).json()).state, "live");
  await card.getByRole("button", { name: `Stop ${name}` }).click();
  await dialog.getByRole("button", { name: "Stop", exact: true }).click();
  await page.waitForFunction((gone) => ![...document.querySelectorAll("article")].some((card) => card.innerText.includes(gone) && /^Live$/m.test(card.innerText)), name, { timeout: 10_000 });
});

test("what is wrong with a stream is said on its card and among its figures, in the reader's language", ONLY_FAKE, async (t) => {
  const path = "live/not well";
  const FOUND = [
    { kind: "silent", track: "audio", for_ms: 12_300 },
    { kind: "apart", audio_ahead_ms: 304 },
    { kind: "keyframes_far", every_ms: 10_000 },
    { kind: "pace", permille: 812 },
    { kind: "jumped", by_ms: 5000, ago_ms: 60_000, times: 2 },
    { kind: "of a newer server" },
  ];
  const { page, card, wrongs } = await onConsole(t, path);
  server.fake.ail(path, FOUND);
  await card.getByText("No sound for 12 s").waitFor();
  const said = await card.getByRole("list", { name: "What is wrong" }).getByRole("listitem").allInnerTexts();
  assert.equal(said.length, 5);
  assert.match(said[1], /^Sound runs 300 ms ahead$/);
  assert.match(said[2], /^A keyframe every 10 s: newcomers wait/);
  assert.match(said[3], /^Comes at 81 % of its speed/);
  assert.match(said[4], /^Timestamps jumped by 5 s at \d\d:\d\d, 2 times so far$/);
  await shoot(page, "console-health");
  await page.goto(`${server.url}/watch/live/not%20well`);
  await awaitPhase(page, "playing");
  await page.keyboard.press("i");
  await page.getByText("Sound runs 300 ms ahead").waitFor();
  await shoot(page, "watch-health");
  assert.deepEqual(wrongs, []);
  const chinese = await openPage(browser, `${server.url}/`, { locale: "zh-CN" });
  t.after(chinese.close);
  await chinese.page.getByText("12 秒没有声音").waitFor();
});

test("the server finds what is wrong with a stream that ffmpeg sends with a keyframe every eight seconds", ONLY_REAL, async (t) => {
  const { spawn } = await import("node:child_process");
  const input = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"];
  const encode = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "200", "-pix_fmt", "yuv420p"];
  const child = spawn("ffmpeg", ["-v", "error", ...input, ...encode, "-f", "flv", `${process.env.HEADWATER_RTMP}/live/far-keys`], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  const { page, close } = await openPage(browser, `${server.url}/`);
  t.after(close);
  await page.getByText("A keyframe every 8 s: newcomers wait").waitFor({ timeout: 30_000 });
});
