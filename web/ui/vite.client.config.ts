import { defineConfig } from "vite";

/** The client alone, as a module for Node, which the tests with a real server steer. */
export default defineConfig({
  build: {
    outDir: "node_modules/.client",
    emptyOutDir: true,
    ssr: "src/client/driver.ts",
    target: "node20",
  },
});
