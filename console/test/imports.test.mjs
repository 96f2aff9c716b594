/** Which folder of `src/` may use which, and that no file imports itself in a circle. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const MAY_USE = { shared: [], live: ["shared"], film: ["shared"], watch: ["shared", "live", "film"], console: ["shared"] };

const files = (await readdir(SRC, { recursive: true })).filter((name) => /\.(ts|svelte)$/.test(name) && !name.endsWith(".d.ts"));
/** Each file with what it imports of ours, types included. */
const imports = new Map();
for (const file of files) {
  const text = await readFile(join(SRC, file), "utf8");
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+\.(?:ts|svelte))"/g)];
  imports.set(file, found.map(([, to]) => relative(SRC, join(SRC, dirname(file), to))));
}

test("the live page and the film page know nothing of each other, and what both have knows neither", () => {
  assert.ok(files.length > 30);
  for (const [file, used] of imports) {
    const [folder] = file.split("/");
    for (const other of used) {
      assert.ok(imports.has(other), `${file} imports ${other}, which is not there`);
      const [to] = other.split("/");
      assert.ok(to === folder || MAY_USE[folder].includes(to), `${file} imports ${other}`);
    }
  }
});

test("no circles", () => {
  const done = new Set();
  const visit = (file, path) => {
    assert.ok(!path.includes(file), [...path, file].join(" → "));
    if (done.has(file)) return;
    for (const other of imports.get(file)) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});
