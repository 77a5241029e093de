import { useEffect, useState, type ReactNode } from "react";
import { CopyButton } from "../copy_button";
import { PARTS } from "../said";

/** The part of a syntax tree that a block of code is read from. */
export interface CodeElement {
  readonly children: readonly CodeElement[];
  readonly value?: string;
  readonly properties?: Record<string, unknown>;
}

const LONGEST = 50_000; // characters that are highlighted
const QUIET = 300; // milliseconds: code that still grows is not highlighted

/** Code with its language, a button to copy it, and colours once they are loaded. */
export function CodeBlock({ element }: { readonly element: CodeElement | undefined }) {
  const code = element ? textOf(element).replace(/\n$/, "") : "";
  const language = languageOf(element?.children[0]);
  const highlighted = useHighlighted(code, language);
  return (
    <figure className="code">
      <figcaption>
        <span>{language || PARTS.code}</span>
        <CopyButton text={code} what="code" />
      </figcaption>
      <pre tabIndex={0} dir="ltr">
        <code>{highlighted ?? code}</code>
      </pre>
    </figure>
  );
}

function useHighlighted(code: string, language: string): ReactNode {
  const [done, setDone] = useState<{ code: string; nodes: ReactNode }>();
  useEffect(() => {
    if (!language || code.length > LONGEST) return;
    let isOver = false;
    const timer = setTimeout(() => {
      import("./highlight").then(
        ({ highlight }) => {
          if (!isOver) setDone({ code, nodes: highlight(code, language) });
        },
        () => undefined, // after a deploy the file may be gone: without colours, then
      );
    }, QUIET);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [code, language]);
  return done?.code === code ? done.nodes : undefined;
}

export function textOf(element: CodeElement): string {
  return (
    element.value ?? (element.children as CodeElement[] | undefined)?.map(textOf).join("") ?? ""
  );
}

export function languageOf(element: CodeElement | undefined): string {
  const classes = element?.properties?.["className"];
  const named = Array.isArray(classes) ? classes.map(String) : [];
  return named.find((name) => name.startsWith("language-"))?.slice("language-".length) ?? "";
}
