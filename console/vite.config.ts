/**
 * How the pages are built: two HTML entries, hashed files under `assets/`, nothing inline (the server's
 * Content-Security-Policy allows neither inline script nor inline style nor `data:` scripts).
 * `crates/server/build.rs` runs this build; `npm run build` does the same by hand.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The whole of hls.js, which only films with several sound tracks load.
    chunkSizeWarningLimit: 620,
    license: { fileName: "licences.md" },
    rolldownOptions: { input: ["index.html", "watch.html"] },
  },
});
