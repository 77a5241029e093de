/** The blocks of a Markdown text, so that only the one that grows is drawn again. Pure. */
import { Marked, type TokenizerExtension } from "marked";

export interface TextBlock {
  readonly text: string;
  /** `html` is shown as text; `math` is a formula in TeX. */
  readonly kind: "markdown" | "html" | "math";
}

const FORMULA = /^(?:\$\$[ \t]*\n?([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n+|$)/;
/** Code, which no formula is looked for in; `\(…\)`; `\[…\]`; `$…$` as Pandoc has it, so that prices
 * are no formulas. */
const INLINE =
  /(```[\s\S]*?```|`[^`\n]*`)|\\\(([\s\S]+?)\\\)|\\\[([\s\S]+?)\\\]|(?<![\\$\w])\$(?![\s$])([^$\n]*[^\s$\\])\$(?![\d$])/g;

const formula: TokenizerExtension = {
  name: "math",
  level: "block",
  start: (source) => {
    const at = source.search(/^(?:\$\$|\\\[)/m);
    return at < 0 ? undefined : at;
  },
  tokenizer: (source) => {
    const found = FORMULA.exec(source);
    if (!found) return undefined;
    return { type: "math", raw: found[0], text: (found[1] ?? found[2] ?? "").trim() };
  },
};

const marked = new Marked({ gfm: true, extensions: [formula] });

const FOOTNOTE = /^ {0,3}\[\^[^\]\n]+\]:/m;

/** The top blocks of a text; a text with footnotes is one block, since a note without its reference
 * would not be shown. Blocks that may refer to a definition get all definitions. */
export function blocksOf(text: string): TextBlock[] {
  if (FOOTNOTE.test(text)) return [{ text, kind: "markdown" }];
  const tokens = marked.lexer(text);
  const definitions = tokens.filter((token) => token.type === "def").map((token) => token.raw);
  const blocks = tokens.filter((token) => token.type !== "space" && token.type !== "def");
  return blocks.map((token): TextBlock => {
    if (token.type === "math")
      return { text: String((token as { text?: unknown }).text), kind: "math" };
    if (token.type === "html") return { text: token.raw, kind: "html" };
    const own = token.type === "code" ? token.raw : withDollars(token.raw);
    const refers = definitions.length > 0 && own.includes("[");
    return { text: refers ? `${own}\n\n${definitions.join("\n")}` : own, kind: "markdown" };
  });
}

/** All formulas in a line of text as `$$…$$`, the one form that remark-math is asked to see. */
function withDollars(text: string): string {
  if (!/[\\$]/.test(text)) return text;
  return text.replace(
    INLINE,
    (whole: string, code?: string, round?: string, square?: string, dollar?: string) => {
      const tex = round ?? square ?? dollar;
      return code !== undefined || tex === undefined ? whole : `$$${tex}$$`;
    },
  );
}
