/**
 * Markdown that grows. It is cut into blocks, and a block that has not changed is not drawn again;
 * the last block of a live answer gets its missing ends, so that it looks right while it grows.
 *
 * HTML is shown as text, links go to http, https and mailto only, and images of other servers are
 * links: loading one would tell that server what the conversation holds.
 */
import { marked } from "marked";
import { memo, useMemo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import remend from "remend";
import { CodeBlock, type CodeElement } from "./code_block";

const PLUGINS = [remarkGfm];

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
  pre: ({ node }) => <CodeBlock element={node as CodeElement | undefined} />,
  table: ({ children }) => (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  // A page has one h1, which is its own.
  h1: ({ children }) => <h2>{children}</h2>,
};

export function Markdown({ text, isLive }: { readonly text: string; readonly isLive: boolean }) {
  const blocks = useMemo(() => blocksOf(text), [text]);
  return (
    <div className="prose" dir="auto">
      {blocks.map((block, index) => (
        <Block
          key={index}
          text={isLive && index === blocks.length - 1 ? remend(block.text) : block.text}
          isHtml={block.isHtml}
        />
      ))}
    </div>
  );
}

interface BlockProps {
  readonly text: string;
  readonly isHtml: boolean;
}

const Block = memo(function Block({ text, isHtml }: BlockProps) {
  if (isHtml) return <p className="as-text">{text.trim()}</p>;
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS}>
      {text}
    </ReactMarkdown>
  );
});

/** The top blocks of a text; those that may refer to a definition get all definitions. */
export function blocksOf(text: string): BlockProps[] {
  const tokens = marked.lexer(text, { gfm: true });
  const definitions = tokens.filter((token) => token.type === "def").map((token) => token.raw);
  const blocks = tokens.filter((token) => token.type !== "space" && token.type !== "def");
  return blocks.map((token) => ({
    text:
      definitions.length && token.raw.includes("[")
        ? `${token.raw}\n\n${definitions.join("\n")}`
        : token.raw,
    isHtml: token.type === "html",
  }));
}
