import react from "@vitejs/plugin-react";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Puts a `.br` and a `.gz` beside each file: the server compresses nothing. */
function compressed(): Plugin {
  let folder = "";
  return {
    name: "compressed",
    apply: "build",
    configResolved: (config) => {
      folder = path.resolve(config.root, config.build.outDir);
    },
    closeBundle: async () => {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        const file = path.join(entry.parentPath, entry.name);
        if (!entry.isFile() || !/\.(js|css|html|svg|webmanifest)$/.test(file)) continue;
        const content = await readFile(file);
        await writeFile(`${file}.br`, brotliCompressSync(content));
        await writeFile(`${file}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/** Tells the service worker which files the page begins with, and that this is another build. */
function shellOfWorker(): Plugin {
  return {
    name: "shell-of-worker",
    apply: "build",
    generateBundle: (_options, bundle) => {
      const all = Object.values(bundle);
      const chunks = all.filter((one) => one.type === "chunk");
      const page = chunks.find((one) => one.isEntry && one.name === "index");
      const worker = chunks.find((one) => one.fileName === WORKER);
      if (!page || !worker) throw new Error("the build has no page or no service worker");
      const styles = all.filter((one) => one.fileName.endsWith(".css"));
      const files = [page.fileName, ...page.imports, ...styles.map((one) => one.fileName)];
      const shell = JSON.stringify(files.sort().map((file) => `/${file}`));
      const names = all.map((one) => one.fileName).sort();
      const build = createHash("sha256").update(names.join()).digest("hex").slice(0, 12);
      worker.code = worker.code
        .replace("__BUILD__", build)
        .replace('"__SHELL__"', JSON.stringify(shell))
        .replace("`__SHELL__`", JSON.stringify(shell));
    },
  };
}

const WORKER = "service_worker.js"; // at the root: it answers for what is below its own path

/** The page. The content security policy allows no inline code, so nothing is put into the HTML. */
export default defineConfig({
  plugins: [react(), shellOfWorker(), compressed()],
  base: "/",
  build: {
    outDir: "../pages/built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: {
        index: "index.html",
        diagram: "diagram.html",
        service_worker: "src/installed/service_worker.ts",
      },
      output: {
        entryFileNames: ({ name }) =>
          name === "service_worker" ? WORKER : "assets/[name]-[hash].js",
      },
    },
  },
});
