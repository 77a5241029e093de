/** The parts of a conversation: prompts, reasoning, answers, tools, ends. */
import { useState } from "react";
import type { Outgoing } from "../client";
import { Icon } from "../design/icons";
import { CopyButton } from "./copy_button";
import { number } from "../languages/formats";
import type { Item } from "./items";
import { Markdown } from "./markdown";
import { OUTGOING, PARTS, PROMPT, REASONING } from "./said";

type Of<K extends Item["kind"]> = Extract<Item, { kind: K }>;

/** What may be done to the messages. */
export interface Actions extends Record<string, (...given: never[]) => void> {
  readonly send: (text: string) => void;
  readonly edit: (text: string) => void;
  readonly retry: (outgoing: Outgoing) => void;
  readonly discard: (outgoing: Outgoing) => void;
}

const SHOWN = 20_000; // characters of a tool's result

export function Prompt({ item, actions }: { item: Of<"prompt">; actions: Actions }) {
  return (
    <section className="prompt" aria-label={PROMPT.you}>
      <p dir="auto">{item.text}</p>
      {item.isCut && <p className="muted">{PROMPT.isCut}</p>}
      {item.sending && <Sending outgoing={item.sending} actions={actions} />}
    </section>
  );
}

function Sending({ outgoing, actions }: { outgoing: Outgoing; actions: Actions }) {
  if (outgoing.state === "accepted") return null;
  if (outgoing.state === "waiting") return <p className="muted sending">{OUTGOING.waiting}</p>;
  const edit = () => {
    actions.edit(outgoing.input);
    actions.discard(outgoing);
  };
  return (
    <div className="refused" role="alert">
      <p>{outgoing.error ?? OUTGOING.refused}</p>
      <button type="button" className="button" onClick={() => actions.retry(outgoing)}>
        {OUTGOING.again}
      </button>
      <button type="button" className="button" onClick={edit}>
        {OUTGOING.edit}
      </button>
      <button type="button" className="button" onClick={() => actions.discard(outgoing)}>
        {OUTGOING.discard}
      </button>
    </div>
  );
}

export function Reasoning({ item }: { item: Of<"reasoning"> }) {
  return (
    <details className="fold">
      <summary>{item.isLive ? REASONING.live : REASONING.done}</summary>
      <div className="fold-body muted" dir="auto">
        {item.text}
      </div>
    </details>
  );
}

export function Answer({ item }: { item: Of<"answer"> }) {
  return (
    <section className="answer" aria-label={PARTS.agent}>
      <Markdown text={item.text} isLive={item.isLive} />
      {!item.isLive && (
        <div className="answer-tools">
          <CopyButton text={item.text} what="answer" />
        </div>
      )}
    </section>
  );
}

export function Tool({ item }: { item: Of<"tool"> }) {
  const state = item.isRunning ? "running" : item.isError ? "failed" : "done";
  const words = PARTS.states[state];
  const hasBody = item.given !== "" || item.output !== "";
  const line = (
    <>
      <Icon name="tool" />
      <span className="tool-name">{item.name}</span>
      <span className="tool-given">{item.given}</span>
      <span className="tool-state">
        {item.duration === undefined ? words : PARTS.took(words, item.duration)}
      </span>
    </>
  );
  if (!hasBody) return <div className={`fold tool tool-${state} tool-line`}>{line}</div>;
  return (
    <details className={`fold tool tool-${state}`}>
      <summary>{line}</summary>
      <div className="fold-body">
        {item.given && <Raw title={PARTS.given} text={item.given} />}
        {item.output && <Raw title={PARTS.result} text={item.output} />}
        {!item.output && !item.isRunning && <p className="muted">{PARTS.noResult}</p>}
      </div>
    </details>
  );
}

function Raw({ title, text }: { title: string; text: string }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? text : text.slice(0, SHOWN);
  return (
    <div className="raw">
      <h3>{title}</h3>
      <pre tabIndex={0} dir="ltr">
        {pretty(shown)}
      </pre>
      {shown.length < text.length && (
        <button type="button" className="button" onClick={() => setWhole(true)}>
          {PARTS.showAll(number(text.length))}
        </button>
      )}
    </div>
  );
}

function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function Ending({ item, actions }: { item: Of<"ending">; actions: Actions }) {
  return (
    <div className={item.how === "stopped" ? "ending" : "ending ending-bad"}>
      <p>
        {PARTS.endings[item.how]} {item.why}
      </p>
      {item.prompt && (
        <button type="button" className="quiet" onClick={() => actions.send(item.prompt)}>
          <Icon name="again" /> {PARTS.sendAgain}
        </button>
      )}
    </div>
  );
}
