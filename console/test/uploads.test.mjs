/** What the console says of uploads in their own rows: films, subtitles, what is none, and what can't be played. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, openPage, server, setStage, shoot } from "./stage.mjs";

const ONLY_REAL = { skip: process.env.HEADWATER_URL ? false : "needs the real server" };

setStage();

test("subtitles are taken, and a film that is cut says so in its own row", ONLY_REAL, async (t) => {
  const { page, close } = await openPage(browser, `${server.url}/#films`);
  t.after(async () => {
    await close();
    for (const name of ["row cut.mp4", "row.en.vtt"]) await fetch(`${server.url}/api/v1/films/vod/${encodeURIComponent(name)}`, { method: "DELETE" });
  });
  await page.locator("input[type=file]").setInputFiles([
    { name: "row cut.mp4", mimeType: "video/mp4", buffer: Buffer.from("\0\0\0\x18ftypisom\0\0\0\0isomiso2\0\0\xff\xffmoov") },
    { name: "row.en.vtt", mimeType: "text/vtt", buffer: Buffer.from("WEBVTT\n") },
    { name: "row.exe", mimeType: "application/octet-stream", buffer: Buffer.from("MZ") },
  ]);
  const row = (name) => page.locator(".panel li").filter({ hasText: name });
  await row("row cut.mp4").getByRole("alert").getByText("It is on the server, but can’t be played.").waitFor();
  await row("row.en.vtt").getByText("uploaded").waitFor();
  assert.match(await row("row.exe").getByRole("alert").innerText(), /subtitles VTT or SRT; this is none by its name/);
  assert.equal((await fetch(`${server.url}/vod/row.en.vtt`)).status, 200);
  await shoot(page, "films-rows");
});
