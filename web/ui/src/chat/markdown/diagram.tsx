import { useEffect, useState } from "react";
import { CopyButton } from "../copy_button";
import { DIAGRAM as WORDS } from "../words";

type State =
  | { readonly kind: "drawing" }
  | { readonly kind: "drawn"; readonly url: string }
  | { readonly kind: "failed"; readonly why: string };

/** A diagram as a picture, which can run nothing, with its source. */
export function Diagram({ text }: { readonly text: string }) {
  const [state, setState] = useState<State>({ kind: "drawing" });
  useEffect(() => {
    let isOver = false;
    const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
    import("../../diagram/draw")
      .then(({ draw }) => draw(text, isDark))
      .then(
        (url) => {
          if (!isOver) setState({ kind: "drawn", url });
        },
        (error: unknown) => {
          const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "";
          if (!isOver) setState({ kind: "failed", why });
        },
      );
    return () => {
      isOver = true;
    };
  }, [text]);
  return (
    <figure className="code diagram">
      <figcaption>
        <span>{WORDS.name}</span>
        <CopyButton text={text} what="source" />
      </figcaption>
      {state.kind === "drawing" && <p className="muted">{WORDS.drawing}</p>}
      {state.kind === "failed" && <p className="muted">{WORDS.failed(state.why)}</p>}
      {state.kind === "drawn" && <img src={state.url} alt={WORDS.alt} />}
      <details open={state.kind === "failed"}>
        <summary>{WORDS.source}</summary>
        <pre tabIndex={0} dir="ltr">
          <code>{text}</code>
        </pre>
      </details>
    </figure>
  );
}
