/**
 * How the pages are built: two HTML entries, hashed files under `assets/`, nothing inline (the server's
 * Content-Security-Policy allows neither inline script nor inline style nor `data:` scripts).
 * `crates/server/build.rs` runs this build; `npm run build` does the same by hand.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/**
 * mpegts.js 1.8.2 takes the head of FLAC's STREAMINFO for a part of it: Enhanced RTMP has `fLaC` and the metadata
 * block's head before it, eight bytes, and it skips four. Whoever brings another version finds out here whether it
 * still does.
 */
function flacInMpegts(): Plugin {
  const wrong = /(_parseFlacSequenceHeader=function\((\w+),(\w+),(\w+)\)\{.{0,400}?new Uint8Array\(\2,\3\+)4,\4-4\)/gs;
  return {
    name: "flac-in-mpegts",
    enforce: "pre",
    transform(code, id) {
      if (!/\/mpegts\.js\/dist\/mpegts\.js(\?|$)/.test(id)) return null;
      const found = code.match(wrong)?.length ?? 0;
      if (found !== 1) this.error(`the place where mpegts.js reads FLAC's configuration was found ${found} times`);
      return { code: code.replace(wrong, "$18,$4-8)"), map: null };
    },
  };
}

export default defineConfig({
  plugins: [flacInMpegts(), svelte()],
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
