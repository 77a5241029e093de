/**
 * For browser tests: what a text looks like that is drawn at once, when it is whole.
 *
 * An answer that came in pieces, over several connections, must end as this.
 */
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { load } from "./markdown/formula";
import { Markdown } from "./markdown/markdown";

/** Until then formulas are drawn as their source. */
export const ready = load();

/** The element of a whole text, which is in no document. */
export function drawn(text: string): Element {
  const box = document.createElement("div");
  const root = createRoot(box);
  flushSync(() => root.render(<Markdown text={text} isLive={false} />));
  const element = box.firstElementChild?.cloneNode(true) as Element;
  root.unmount();
  return element;
}
