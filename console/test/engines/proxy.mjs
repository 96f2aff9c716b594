/**
 * A proxy between a browser and the server. It lets FLV through or not, so that the live page has to take HLS in whatever
 * browser; it counts what was asked for, and takes note of what was refused; and it has each page collect its own errors,
 * which not every engine tells its driver: a script goes before the page's own, as the page's policy allows.
 */
import { once } from "node:events";
import { createServer, request } from "node:http";

const HOOK = "/collect-errors.js";
const COLLECT = `
window.wrongs = [];
const note = (what) => window.wrongs.push(String(what).slice(0, 500));
addEventListener("error", (event) => note("error: " + (event.error?.stack ?? event.message)));
addEventListener("unhandledrejection", ({ reason }) => note("rejected: " + (reason?.stack ?? reason)));
document.addEventListener("securitypolicyviolation", (event) => note("policy: " + event.violatedDirective + " " + event.blockedURI));
const tell = console.error;
console.error = (...words) => { note("console: " + words.join(" ")); tell.apply(console, words); };
`;

export async function openProxy(url, { flv }) {
  const { hostname, port } = new URL(url);
  const isHeldBack = (path) => !flv && /\.flv(\?|$)/.test(path);
  const seen = { sockets: 0, fragments: 0, refused: [] };
  const pass = (asked, options, answered) => {
    const headers = { ...asked.headers, "accept-encoding": "identity" };
    return request({ hostname, port, path: asked.url, method: asked.method, headers, ...options }, answered);
  };
  const proxy = createServer((asked, answer) => {
    if (asked.url === HOOK) return void answer.writeHead(200, { "content-type": "text/javascript" }).end(COLLECT);
    if (isHeldBack(asked.url)) return void answer.writeHead(502).end();
    if (asked.url.includes(".m4s")) seen.fragments++;
    const passed = pass(asked, {}, (got) => {
      if (got.statusCode >= 400) seen.refused.push(`${got.statusCode} ${asked.url}`);
      if (got.headers["content-type"]?.startsWith("text/html")) return void withHook(got, answer);
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  proxy.on("upgrade", (asked, socket, first) => {
    socket.on("error", () => {});
    if (isHeldBack(asked.url)) return void socket.end();
    seen.sockets++;
    const passed = pass(asked, {}).on("error", () => socket.destroy()).end();
    passed.on("upgrade", (got, server, beginning) => {
      const head = Object.entries(got.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join("")}\r\n`);
      socket.write(beginning);
      server.write(first);
      server.on("error", () => socket.destroy()).pipe(socket).pipe(server);
    });
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const close = () => (proxy.closeAllConnections(), proxy.close());
  return { url: `http://127.0.0.1:${proxy.address().port}`, seen, close };
}

async function withHook(got, answer) {
  let page = "";
  for await (const piece of got.setEncoding("utf8")) page += piece;
  page = page.replace("<head>", `<head><script src="${HOOK}"></script>`);
  const headers = { ...got.headers, "content-length": Buffer.byteLength(page) };
  delete headers.etag;
  answer.writeHead(got.statusCode, headers).end(page);
}
