/** Has diagrams drawn in the sandboxed frame, which is made with the first one. */
import type { Drawing, Wanted } from "./messages";

const WITHIN = 20_000; // milliseconds, the loading of Mermaid included

const waiting = new Map<number, (drawing: Drawing) => void>();
let frame: Promise<Window> | undefined;
let count = 0;

/** The picture as an address for an image. Rejects with why there is none. */
export async function draw(text: string, isDark: boolean): Promise<string> {
  count += 1;
  const wanted: Wanted = { id: count, text, isDark };
  const to = await (frame ??= opened());
  const drawing = await new Promise<Drawing>((done, failed) => {
    const timer = setTimeout(() => {
      waiting.delete(wanted.id);
      failed(new Error("It takes too long."));
    }, WITHIN);
    waiting.set(wanted.id, (one) => {
      clearTimeout(timer);
      done(one);
    });
    to.postMessage(wanted, "*"); // a sandboxed document has no origin that could be named
  });
  if ("error" in drawing) throw new Error(drawing.error);
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawing.svg)}`;
}

function opened(): Promise<Window> {
  const made = document.createElement("iframe");
  made.src = "/diagram.html";
  made.setAttribute("sandbox", "allow-scripts");
  made.className = "diagram-frame";
  made.title = "Diagrams";
  made.setAttribute("aria-hidden", "true");
  made.tabIndex = -1;
  document.body.append(made);
  return new Promise((done, failed) => {
    const timer = setTimeout(() => {
      made.remove();
      frame = undefined; // the next one tries again
      failed(new Error("It cannot be loaded."));
    }, WITHIN);
    window.addEventListener("message", (event: MessageEvent<Drawing | { isReady: true }>) => {
      if (event.source !== made.contentWindow) return;
      if ("isReady" in event.data) {
        clearTimeout(timer);
        done(event.source as Window);
      } else {
        waiting.get(event.data.id)?.(event.data);
        waiting.delete(event.data.id);
      }
    });
  });
}
