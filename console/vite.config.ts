/**
 * How the pages are built: two HTML entries, hashed files under `assets/`, nothing inline (the server's
 * Content-Security-Policy allows neither inline script nor inline style nor `data:` scripts).
 * `crates/server/build.rs` runs this build; `npm run build` does the same by hand.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";
import mpegts from "mpegts.js/package.json" with { type: "json" };

/**
 * The sources of mpegts.js take whole CommonJS modules for a class and for a function, as only webpack lets them.
 * `src/shared/player/mpegts.ts` amends this version; whoever brings another finds out here.
 */
function mpegtsSources(): Plugin {
  let changed = 0;
  return {
    name: "mpegts-sources",
    enforce: "pre",
    buildStart() {
      if (mpegts.version !== "1.8.2") this.error(`mpegts.js ${mpegts.version}: see what of src/shared/player/mpegts.ts it still needs`);
    },
    transform(code, id) {
      if (!/\/mpegts\.js\/src\/.*\.ts(\?|$)/.test(id)) return null;
      const amended = code.replace(/^import \* as (EventEmitter|work) from/gm, (_whole, name: string) => {
        changed += 1;
        return `import ${name} from`;
      });
      return { code: amended, map: null };
    },
    buildEnd(error) {
      if (!error && changed !== 3) this.error(`${changed} of three imports of mpegts.js were found`);
    },
  };
}

export default defineConfig({
  plugins: [mpegtsSources(), svelte()],
  define: { __VERSION__: JSON.stringify(mpegts.version) },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The whole of hls.js, which only pages load that play HLS.
    chunkSizeWarningLimit: 620,
    license: { fileName: "licences.md" },
    rolldownOptions: { input: ["index.html", "watch.html"] },
  },
});
