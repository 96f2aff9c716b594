/** Loads a TypeScript module of the pages into node, as Vite would: for tests of the parts that need no browser. */
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

export async function source(path) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const { module } = await runnerImport(`${root}/src/${path}`, { root, configFile: false, logLevel: "error" });
  return module;
}
