import { useState } from "react";
import { messagesOf, type SessionView } from "../../client";
import { wholeSentences } from "./sentences";

interface Spoken {
  readonly key: string;
  readonly length: number;
  readonly text: string;
}

/** Says the live answer to screen readers, by whole sentences. */
export function Announcer({ view }: { readonly view: SessionView }) {
  const [spoken, setSpoken] = useState<Spoken>({ key: "", length: 0, text: "" });
  const last = messagesOf(view).at(-1);
  const isAnswer = last?.role === "assistant" && view.liveRun !== undefined;
  const key = isAnswer ? `${view.liveRun}:${view.live.length}` : "";
  const text = isAnswer ? last.content : "";
  const from = key === spoken.key ? spoken.length : 0;
  const whole = text.slice(from, from + wholeSentences(text, from));
  if (isAnswer && (key !== spoken.key || whole))
    setSpoken({ key, length: from + whole.length, text: whole.trim() });
  return (
    <div className="for-screen-readers" aria-live="polite">
      {spoken.text}
    </div>
  );
}
