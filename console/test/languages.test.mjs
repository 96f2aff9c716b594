/**
 * The pages in both languages: which one a browser gets, and that no English is left in the Chinese one.
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { awaitPhase, browser, openPage, server, setStage, shoot } from "./stage.mjs";
import { source } from "./sources.mjs";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
/** Names and units that are the same in every language. */
const NAMES =
  /Headwater|OBS|ffmpeg|ffplay|mpv|VLC|RTMP|HTTP|WS|FLV|HLS|WebSocket|H\.26[45]|AAC|Mbit\/s|kbit\/s|kHz|fps|MP4|MOV|M4V|F4V|M4A|VTT|SRT|NAME|KEY|key|toml|\[http\]|\.mp4|embed_origins|iframe|[kMGT]B/g;

setStage();

test("the browser's dearest language of ours is taken", async () => {
  const { chooseLanguage } = await source("shared/language.ts");
  for (const [asked, chosen] of [
    [["zh-CN", "en"], "zh-CN"], [["zh-Hant-TW"], "zh-CN"], [["ZH"], "zh-CN"], [["en-US", "zh"], "en"],
    [["de-DE", "zh", "en"], "zh-CN"], [["fr"], "en"], [["zha"], "en"], [[], "en"],
  ]) assert.equal(chooseLanguage(asked), chosen, String(asked));
});

/** Every text that a person sees, hears or hovers over, but for names, addresses and commands. */
function textsOf(page) {
  return page.evaluate(() => {
    const texts = [document.title];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const around = walk.currentNode.parentElement;
      if (!around.closest("code, bdi, noscript, script, style, dd[title]")) texts.push(walk.currentNode.textContent);
    }
    for (const element of document.querySelectorAll("[aria-label], [title]:not(dd), [placeholder]")) {
      for (const name of ["aria-label", "title", "placeholder"]) texts.push(element.getAttribute(name) ?? "");
    }
    return texts.map((text) => text.trim()).filter(Boolean);
  });
}

/** What is English in them, but for the names of what the server has. */
function english(texts, names) {
  const rest = (text) => names.reduce((left, name) => left.replaceAll(name, ""), text).replace(NAMES, "").replace(/\/watch\/\S*|https?:\S+|127\.0\.0\.1\S*/g, "");
  return texts.filter((text) => !/^\w+:\/\//.test(text) && /[A-Za-z]{2,}/.test(rest(text)));
}

test("in a Chinese browser no page speaks English", async (t) => {
  const end = await server.publish("live/测试流", "av");
  t.after(end);
  const pages = [["/", "article"], ["/#films", ".panel"], ["/watch/live/%E6%B5%8B%E8%AF%95%E6%B5%81", "video"], ["/watch/live/%E6%B2%A1%E6%9C%89", ".notice h2"], ["/watch/vod/%E6%B2%A1%E6%9C%89.mp4", ".notice h2"], ["/watch/", ".notice h2"]];
  for (const [path, there] of pages) {
    const { page, close } = await openPage(browser, server.url + path, { locale: "zh-CN" });
    await page.locator(there).first().waitFor();
    if (there === "video") {
      await awaitPhase(page, "playing");
      await page.keyboard.press("i");
    } else await page.waitForTimeout(1200);
    assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN", path);
    const texts = await textsOf(page);
    assert.ok(texts.some((text) => /[\u4e00-\u9fff]/.test(text)), path);
    const namesOf = async (what) => (await (await fetch(`${server.url}/api/v1/${what}`)).json())[what].map(({ name }) => name);
    assert.deepEqual(english(texts, [...(await namesOf("streams")), ...(await namesOf("films"))]), [], path);
    await shoot(page, `zh-${path.replace(/[^a-z]+/g, "-")}`);
    await close();
  }
});

test("every text of the pages is said through `t`, in both languages", async () => {
  for (const file of (await readdir(SRC, { recursive: true })).filter((name) => name.endsWith(".svelte"))) {
    const markup = (await readFile(join(SRC, file), "utf8")).replace(/<script[\s\S]*?<\/script>|<style[\s\S]*?<\/style>|<!--[\s\S]*?-->/g, "");
    const plain = markup.replace(/\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/g, "");
    const texts = [...plain.matchAll(/>([^<>]+)</g)].map(([, text]) => text.trim());
    const labels = [...plain.matchAll(/\b(?:aria-label|title|placeholder|label)="([^"]*)"/g)].map(([, text]) => text);
    assert.deepEqual([...texts, ...labels].filter((text) => /[A-Za-z]{2,}/.test(text.replace(NAMES, ""))), [], file);
  }
});
