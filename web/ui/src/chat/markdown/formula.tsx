import { useEffect, useState, type ReactNode } from "react";
import { PARTS } from "../said";

interface Props {
  readonly tex: string;
  readonly isBlock: boolean;
}

type Render = (tex: string, isBlock: boolean) => ReactNode;

let loaded: Render | undefined;

/** Load KaTeX, unless it is there. */
export async function load(): Promise<Render> {
  loaded ??= (await import("./math")).render;
  return loaded;
}

/** A formula as MathML; its source until KaTeX is loaded, and if it is none. */
export function Formula({ tex, isBlock }: Props) {
  const [render, setRender] = useState<Render | undefined>(() => loaded);
  useEffect(() => {
    if (render) return;
    let isOver = false;
    load().then(
      (found) => {
        if (!isOver) setRender(() => found);
      },
      () => undefined, // after a deploy the file may be gone: the source, then
    );
    return () => {
      isOver = true;
    };
  }, [render]);
  const shown = render?.(tex, isBlock) ?? <code dir="ltr">{tex}</code>;
  return isBlock ? (
    <div className="formula" tabIndex={0} role="group" aria-label={PARTS.formula}>
      {shown}
    </div>
  ) : (
    <span dir="ltr">{shown}</span>
  );
}
