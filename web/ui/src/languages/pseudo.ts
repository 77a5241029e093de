/** A made-up language for tests: whatever comes from a catalogue is in brackets. */

export function pseudo<T>(words: T): T {
  return said(words) as T;
}

/** The words of a text that came neither from a catalogue nor from a person (`‹…›`). */
export function leftover(text: string): string[] {
  let rest = text;
  for (let before = ""; before !== rest;) {
    before = rest;
    rest = rest.replace(/⟦[^⟦⟧]*⟧|‹[^‹›]*›/g, "");
  }
  return rest.match(/\p{L}{2,}/gu) ?? [];
}

/** All that a person reads or hears of an element; a sentence may go over several elements. */
export function textOf(element: Element): string {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts: string[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode.textContent ?? "");
  for (const one of element.querySelectorAll("*"))
    for (const name of ["aria-label", "title", "placeholder", "alt"])
      texts.push(one.getAttribute(name) ?? "");
  return texts.join(" ");
}

function said(given: unknown): unknown {
  if (typeof given === "string") return `⟦${given}⟧`;
  if (typeof given === "function") {
    const work = given as (...values: unknown[]) => unknown;
    return (...values: unknown[]) => said(work(...values));
  }
  if (Array.isArray(given)) return given.map(said);
  if (typeof given !== "object" || given === null) return given;
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, said(value)]));
}
