import { useEffect, useState } from "react";
import { Icon } from "../design/icons";
import { COPY } from "./said";

interface Props {
  readonly text: string;
  readonly what: keyof typeof COPY.what;
}

/** Copies a text, and says for two seconds whether it did. */
export function CopyButton({ text, what }: Props) {
  const [said, setSaid] = useState<"done" | "failed">();
  useEffect(() => {
    if (said === undefined) return;
    const timer = setTimeout(() => setSaid(undefined), 2_000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () => {
    copied(text).then(
      () => setSaid("done"),
      () => setSaid("failed"),
    );
  };
  const words = said === undefined ? undefined : COPY[said];
  return (
    <button type="button" className="quiet" onClick={copy} aria-label={words ?? COPY.what[what]}>
      <Icon name={said === "done" ? "check" : "copy"} />
      {words !== undefined && <span aria-hidden="true">{words}</span>}
    </button>
  );
}

/** Over plain HTTP to another machine there is no clipboard. */
async function copied(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (!clipboard) throw new Error("no clipboard");
  await clipboard.writeText(text);
}
