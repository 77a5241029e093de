import { defineConfig } from "vite";

/** How the page draws a stored text, as one script: browser tests compare the page with it. */
export default defineConfig({
  build: {
    outDir: "node_modules/.reference",
    emptyOutDir: true,
    target: "es2022",
    lib: {
      entry: "src/chat/reference.tsx",
      formats: ["iife"],
      name: "reference",
      fileName: () => "reference.js",
    },
  },
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
});
