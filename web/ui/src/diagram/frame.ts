/**
 * Makes pictures of diagrams, in a document of its own that has no origin: `/diagram.html` in a
 * sandboxed frame. Mermaid needs inline styles, which the page does not allow, and whatever a diagram
 * should manage to run there has no cookie, no network and no way to the page but this message.
 */
import mermaid from "mermaid";
import type { Drawing, Wanted } from "./messages";

const LONGEST = 50_000; // characters
/** What a diagram may not set for itself: beside Mermaid's own list, styles that could load something. */
const FIXED = [
  "secure",
  "securityLevel",
  "startOnLoad",
  "maxTextSize",
  "maxEdges",
  "suppressErrorRendering",
  "htmlLabels",
  "themeCSS",
];

let before: Promise<unknown> = Promise.resolve();

window.addEventListener("message", (event: MessageEvent<Wanted>) => {
  if (event.source !== window.parent) return;
  const { id, text, isDark } = event.data;
  // One after the other: Mermaid keeps its state in the module.
  before = before.then(async () => {
    const drawing = await drawn(id, text, isDark);
    window.parent.postMessage(drawing, "*");
  });
});
window.parent.postMessage({ isReady: true }, "*");

async function drawn(id: number, text: string, isDark: boolean): Promise<Drawing> {
  try {
    mermaid.initialize({
      startOnLoad: false,
      secure: FIXED,
      securityLevel: "strict",
      theme: isDark ? "dark" : "default",
      maxTextSize: LONGEST,
      htmlLabels: false,
      suppressErrorRendering: true,
    });
    const { svg } = await mermaid.render(`diagram-${id}`, text);
    return { id, svg: asImage(svg) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

/** The same with a size of its own, as an image needs one. */
function asImage(svg: string): string {
  const holder = document.createElement("div");
  holder.innerHTML = svg;
  const found = holder.querySelector("svg");
  if (!found) throw new Error("Nothing was drawn.");
  const { width, height } = found.viewBox.baseVal;
  found.setAttribute("width", String(Math.ceil(width)));
  found.setAttribute("height", String(Math.ceil(height)));
  return new XMLSerializer().serializeToString(found);
}
