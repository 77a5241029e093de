/**
 * Formulas in TeX as MathML, which browsers draw themselves: no fonts and no styles to load. KaTeX
 * gives markup as text; of it only elements and attributes of MathML are made, by React.
 */
import katex from "katex";
import { createElement, type ReactNode } from "react";

const LONGEST = 10_000; // characters
const OPTIONS = {
  output: "mathml",
  throwOnError: true,
  strict: "ignore",
  trust: false,
  maxSize: 20,
  maxExpand: 500,
} as const;
const ELEMENT = /^(math|semantics|m[a-z]+)$/;
const ATTRIBUTES = new Set(
  (
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence " +
    "form height largeop linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize " +
    "minsize movablelimits notation rowalign rowlines rowspacing rspace scriptlevel separator " +
    "stretchy symmetric voffset width"
  ).split(" "),
);

/** The formula; undefined for a text that is none. */
export function render(tex: string, isBlock: boolean): ReactNode {
  if (tex.length > LONGEST) return undefined;
  let markup: string;
  try {
    markup = katex.renderToString(tex, { ...OPTIONS, displayMode: isBlock });
  } catch {
    return undefined;
  }
  const math = new DOMParser().parseFromString(markup, "text/html").querySelector("math");
  return math ? asElement(math, 0) : undefined;
}

function asElement(node: Node, key: number): ReactNode {
  if (node.nodeType === Node.TEXT_NODE) return node.nodeValue;
  if (!(node instanceof Element)) return null;
  const name = node.localName;
  if (!ELEMENT.test(name)) return null; // such as the annotation, which repeats the source
  const attributes = [...node.attributes].filter((one) => ATTRIBUTES.has(one.name));
  const given = Object.fromEntries(attributes.map((one) => [one.name, one.value]));
  return createElement(name, { key, ...given }, ...[...node.childNodes].map(asElement));
}
