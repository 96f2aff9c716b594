/**
 * Packs what `vite build` has made: beside each file of `dist/` that is worth it lies its form as Brotli (`.br`) and as
 * gzip (`.gz`), once for all, so that the server packs nothing and sends what a browser takes. The last step of
 * `npm run build`.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const DIST = new URL("dist", import.meta.url).pathname;
/** What saves less is not worth a second form. */
const WORTH_IT = 0.9;

const brotli = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
const PACKERS = [
  [".br", (bytes) => brotliCompressSync(bytes, { params: { ...brotli, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })],
  [".gz", (bytes) => gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION })],
];

for (const name of readdirSync(DIST, { recursive: true })) {
  const path = join(DIST, name);
  if (!statSync(path).isFile() || PACKERS.some(([ending]) => path.endsWith(ending))) continue;
  const bytes = readFileSync(path);
  for (const [ending, pack] of PACKERS) {
    const packed = pack(bytes);
    if (packed.length < bytes.length * WORTH_IT) writeFileSync(path + ending, packed);
  }
}
