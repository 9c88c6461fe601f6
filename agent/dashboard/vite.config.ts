// One folder of files that the program embeds. Nothing is inlined: the page's Content-Security-Policy
// knows neither inline scripts and styles nor data URIs for code.

import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    target: "es2022",
    // The licences of what is bundled ask for their text.
    license: { fileName: "assets/licences.md" },
  },
  test: {
    include: ["test/**/*.test.ts"],
    // A zone that is not UTC, so that one is not taken for the other.
    env: { TZ: "Asia/Seoul" },
  },
});
