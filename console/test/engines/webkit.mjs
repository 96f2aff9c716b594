/**
 * WebKitGTK's MiniBrowser, driven by its own WebDriver: a handful of requests (W3C WebDriver 2), so nothing is installed
 * for it. It has no headless mode and runs under Xvfb; one window is one session.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const STARTED_WITHIN_MS = 30_000;

export async function openWebKit() {
  const { display, screen } = await openScreen();
  const port = await freePort();
  // It has much to say of a machine without sound and desktop.
  const driver = spawn("WebKitWebDriver", [`--port=${port}`], { stdio: "ignore", env: { ...process.env, DISPLAY: display } });
  const leave = () => [driver, screen].forEach((child) => child.kill());
  const ask = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`WebDriver: ${method} ${path}: ${value.error} ${value.message}`);
    return value;
  };
  try {
    await answers(ask);
    const browserOptions = { binary: miniBrowser(), args: ["--automation", "--autoplay-policy=allow"] };
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": browserOptions } };
    const begun = await ask("POST", "/session", { capabilities });
    const session = `/session/${begun.sessionId}`;
    const goTo = (url) => ask("POST", `${session}/url`, { url });
    return {
      name: `WebKitGTK ${begun.capabilities.browserVersion}`,
      close: () => ask("DELETE", session).catch(() => {}).finally(leave),
      async open(url) {
        await goTo(url);
        const evaluate = (body) => ask("POST", `${session}/execute/sync`, { script: `return (${body})`, args: [] });
        return { evaluate, close: () => goTo("about:blank") };
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

async function answers(ask) {
  for (const until = Date.now() + STARTED_WITHIN_MS; ; await sleep(100)) {
    if (await ask("GET", "/status").catch(() => null)) return;
    if (Date.now() > until) throw new Error("WebKitWebDriver does not answer");
  }
}

/** Debian keeps it apart from what people start. */
function miniBrowser() {
  const places = readdirSync("/usr/lib").map((folder) => `/usr/lib/${folder}/webkit2gtk-4.1/MiniBrowser`);
  const found = process.env.MINIBROWSER ?? places.find((place) => existsSync(place));
  if (!found) throw new Error("there is no MiniBrowser (apt-get install webkit2gtk-driver)");
  return found;
}

/** A display that is nobody's: Xvfb chooses its number and tells it. */
async function openScreen() {
  const told = ["ignore", "ignore", "ignore", "pipe"];
  const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"], { stdio: told });
  const signal = AbortSignal.timeout(STARTED_WITHIN_MS);
  const [number] = await once(createInterface({ input: screen.stdio[3] }), "line", { signal });
  return { display: `:${number}`, screen };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
