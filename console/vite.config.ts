/**
 * How the pages are built: two HTML entries, hashed files under `assets/`, nothing inline (the server's
 * Content-Security-Policy allows neither inline script nor inline style nor `data:` scripts).
 * `crates/server/build.rs` runs this build; `npm run build` does the same by hand.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/** The sources of mpegts.js take whole CommonJS modules for a class and for a function, as only webpack lets them. */
function mpegtsSources(): Plugin {
  return {
    name: "mpegts-sources",
    enforce: "pre",
    transform(code, id) {
      if (!/\/mpegts\.js\/src\/.*\.ts(\?|$)/.test(id)) return null;
      return { code: code.replace(/^import \* as (EventEmitter|work) from/gm, "import $1 from"), map: null };
    },
  };
}

export default defineConfig({
  plugins: [mpegtsSources(), svelte()],
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
