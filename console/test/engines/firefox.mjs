/** Debian's Firefox, driven over WebDriver BiDi. */
import puppeteer from "puppeteer-core";

export async function openFirefox() {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    headless: true,
    // Nobody touches these pages: sound plays without that.
    extraPrefsFirefox: { "media.autoplay.default": 0, "intl.accept_languages": "en-GB" },
  });
  return {
    name: `Firefox ${(await browser.version()).replace(/^\D*/, "")}`,
    close: () => browser.close(),
    async open(url) {
      const page = await browser.newPage();
      await page.goto(url);
      return { evaluate: (body) => page.evaluate(body), close: () => page.close() };
    },
  };
}
