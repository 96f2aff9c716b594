/** What the console says to who may publish only with the key, and how somebody logs out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, openPage, server, setStage, shoot } from "./stage.mjs";

const ONLY_FAKE = { skip: process.env.HEADWATER_URL ? "needs the fake server" : false };
const KEY = "a/b+c=%2F";
const CODED = encodeURIComponent(KEY);

setStage();

async function onConsole(t, access, settings) {
  server.fake.admit({ publish_key: KEY, session_ends_in_ms: null, ...access });
  const stage = await openPage(browser, `${server.url}/`, settings);
  t.after(stage.close);
  await stage.page.getByText("-f flv").first().waitFor();
  return stage;
}

test("who needs the key to publish is shown it, in every command too", ONLY_FAKE, async (t) => {
  const { page, wrongs } = await onConsole(t, { key_needed: true, key_needed_elsewhere: true });
  await page.getByText(`mine?key=${CODED}`, { exact: true }).waitFor();
  const commands = await page.locator(".command code").allInnerTexts();
  assert.equal(commands.length, 2);
  for (const command of commands) assert.ok(command.trim().endsWith(`/live/mine?key=${CODED}"`), command);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy Key" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `mine?key=${CODED}`);
  await shoot(page, "console-key");
  assert.deepEqual(wrongs, []);
});

test("who needs none is told the one for other machines", ONLY_FAKE, async (t) => {
  const { page, wrongs } = await onConsole(t, { key_needed: false, key_needed_elsewhere: true });
  await page.getByText("From another machine").waitFor();
  assert.equal(await page.locator("dd code").nth(1).innerText(), "mine");
  assert.equal(await page.locator(".elsewhere code").innerText(), `mine?key=${CODED}`);
  await shoot(page, "console-key-elsewhere");
  assert.deepEqual(wrongs, []);
});

test("where nobody needs a key none is shown", ONLY_FAKE, async (t) => {
  const { page } = await onConsole(t, { key_needed: false, key_needed_elsewhere: false });
  assert.ok(!(await page.innerText("main")).includes("key="));
});

test("who has logged in can log out, on both parts of the console; others are not asked to", ONLY_FAKE, async (t) => {
  const near = await onConsole(t, {});
  assert.equal(await near.page.getByRole("button", { name: "Log out" }).count(), 0);
  const { page } = await onConsole(t, { session_ends_in_ms: 3_600_000 });
  await shoot(page, "console-logged-in");
  await page.getByRole("link", { name: "Films" }).click();
  const asked = page.waitForRequest((request) => request.url().endsWith("/logout"));
  await page.getByRole("button", { name: "Log out" }).click();
  assert.equal((await asked).method(), "POST");
  await page.waitForURL("**/login");
});
