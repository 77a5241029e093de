import { useEffect, useState } from "react";
import { Icon } from "../design/icons";

interface Props {
  readonly text: string;
  readonly what: string;
}

/** Copies a text, and says for two seconds whether it did. */
export function CopyButton({ text, what }: Props) {
  const [said, setSaid] = useState<string>();
  useEffect(() => {
    if (said === undefined) return;
    const timer = setTimeout(() => setSaid(undefined), 2_000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () => {
    copied(text).then(
      () => setSaid("Copied"),
      () => setSaid("Not copied: the browser forbids it"),
    );
  };
  return (
    <button type="button" className="quiet" onClick={copy} aria-label={said ?? `Copy ${what}`}>
      <Icon name={said === "Copied" ? "check" : "copy"} />
      {said !== undefined && <span aria-hidden="true">{said}</span>}
    </button>
  );
}

/** Over plain HTTP to another machine there is no clipboard. */
async function copied(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (!clipboard) throw new Error("no clipboard");
  await clipboard.writeText(text);
}
