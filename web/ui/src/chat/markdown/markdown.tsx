/**
 * Markdown that grows. It is cut into blocks, and a block that has not changed is not drawn again;
 * the last block of a live answer gets its missing ends, so that it looks right while it grows.
 *
 * HTML is shown as text, links go to http, https and mailto only, and images of other servers are
 * links: loading one would tell that server what the conversation holds.
 */
import { memo, useEffect, useMemo, useRef, type ReactElement } from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import remarkGfm from "remark-gfm";
import remarkMath from "remark-math";
import remend from "remend";
import { blocksOf, type TextBlock } from "./blocks";
import { PARTS } from "../said";
import { CodeBlock, languageOf, textOf, type CodeElement } from "./code_block";
import { Diagram } from "./diagram";
import { Formula } from "./formula";
import { usePaced } from "./use_paced";

type Plugins = Options["remarkPlugins"];
const PLUGINS: Plugins = [remarkGfm, [remarkMath, { singleDollarTextMath: false }]];

const COMPONENTS: Components = {
  // Of an address that may be harmful nothing is left.
  a: ({ href, children }) =>
    href ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  img: ({ src, alt }) =>
    typeof src === "string" && src ? (
      <a href={src} target="_blank" rel="noopener noreferrer nofollow">
        Image: {alt ?? src}
      </a>
    ) : null,
  pre: ({ node }) => <Pre element={node as CodeElement | undefined} />,
  code: ({ node, className, children }) => {
    const isFormula = className?.includes("language-math");
    const element = node as CodeElement | undefined;
    return isFormula && element ? (
      <Formula tex={textOf(element)} isBlock={false} />
    ) : (
      <code className={className}>{children}</code>
    );
  },
  table: ({ children }) => (
    <div className="table" tabIndex={0} role="region" aria-label={PARTS.table}>
      <table>{children}</table>
    </div>
  ),
  // A page has one h1, which is its own.
  h1: ({ children }) => <h2>{children}</h2>,
};

/** While it grows, a diagram is its source. */
const GROWING: Components = {
  ...COMPONENTS,
  pre: ({ node }) => <CodeBlock element={node as CodeElement | undefined} />,
};

function Pre({ element }: { readonly element: CodeElement | undefined }) {
  const language = languageOf(element?.children[0]);
  if (element && language === "math") return <Formula tex={textOf(element)} isBlock />;
  if (element && language === "mermaid") return <Diagram text={textOf(element)} />;
  return <CodeBlock element={element} />;
}

export function Markdown({ text, isLive }: { readonly text: string; readonly isLive: boolean }) {
  const last = useRef(0);
  const shown = usePaced(text, isLive, last.current);
  const blocks = useMemo(() => blocksOf(shown), [shown]);
  useEffect(() => {
    // What is parsed with each step: all of it to find the blocks, the last block as a whole.
    last.current = (blocks.at(-1)?.text.length ?? 0) + shown.length / 20;
  }, [blocks, shown]);
  return (
    <div className="prose" dir="auto">
      {blocks.map((block, index) => {
        const isGrowing = isLive && index === blocks.length - 1;
        return <Block key={index} text={block.text} kind={block.kind} isGrowing={isGrowing} />;
      })}
    </div>
  );
}

interface BlockProps extends TextBlock {
  readonly isGrowing: boolean;
}

const Block = memo(function Block({ text, kind, isGrowing }: BlockProps) {
  if (kind === "html") return <p className="as-text">{text.trim()}</p>;
  if (kind === "math") return <Formula tex={text} isBlock />;
  if (!isGrowing) return parsed(text);
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={GROWING}>
      {remend(text)}
    </ReactMarkdown>
  );
});

const KEPT = 500; // blocks
const kept = new Map<string, ReactElement>();

/** The elements of a block. They are kept: a row that is scrolled into sight again is not parsed
 * again, which is most of what drawing it takes. */
function parsed(text: string): ReactElement {
  const found =
    kept.get(text) ??
    ReactMarkdown({ children: text, remarkPlugins: PLUGINS, components: COMPONENTS });
  kept.delete(text); // so that it moves to the end
  kept.set(text, found);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
  return found;
}
