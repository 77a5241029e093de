/** The parts of a conversation: reasoning, answers, tools, ends. */
import { useState } from "react";
import type { Input, Outgoing } from "../../client";
import { Icon } from "../../design/icons";
import { CopyButton } from "../copy_button";
import type { Again, Item } from "./items";
import { number } from "../../languages/formats";
import { refusal } from "../../languages/refusals";
import { PARTS } from "../said";
import { Markdown } from "../markdown/markdown";
import { prettyJson } from "./pretty_json";
import { REASONING } from "../words";

export type Of<K extends Item["kind"]> = Extract<Item, { kind: K }>;

/** What may be done to the messages. */
export interface Actions extends Record<string, (...given: never[]) => void> {
  readonly send: (input: Input) => void;
  /** Put a message back where it was written. */
  readonly edit: (input: Input) => void;
  /** Ask this in a copy of the conversation before it. */
  readonly askAgain: (again: Again, input: Input) => void;
  readonly retry: (outgoing: Outgoing) => void;
  readonly discard: (outgoing: Outgoing) => void;
}

const SHOWN = 20_000; // characters of a tool's result

export function Reasoning({ item }: { item: Of<"reasoning"> }) {
  return (
    <details className="fold">
      <summary>{item.isLive ? REASONING.live : REASONING.done(item.took)}</summary>
      <div className="fold-body muted" dir="auto">
        {item.text}
      </div>
    </details>
  );
}

export function Answer({ item }: { item: Of<"answer"> }) {
  return (
    <article className="answer" aria-label={PARTS.agent}>
      <Markdown text={item.text} isLive={item.isLive} />
      {!item.isLive && (
        <div className="answer-tools">
          <CopyButton text={item.text} what="answer" />
        </div>
      )}
    </article>
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
      <h2>{title}</h2>
      <pre tabIndex={0} dir="ltr">
        {prettyJson(shown)}
      </pre>
      {shown.length < text.length && (
        <button type="button" className="button" onClick={() => setWhole(true)}>
          {PARTS.showAll(number(text.length))}
        </button>
      )}
    </div>
  );
}

export function Ending({ item, actions }: { item: Of<"ending">; actions: Actions }) {
  // What the gateway says of its error tells more than that it has one.
  const why = item.why && item.code !== "gateway_error" ? refusal(item.code, item.why) : item.why;
  return (
    <div className={item.how === "stopped" ? "ending" : "ending ending-bad"}>
      <p>
        {PARTS.endings[item.how]} {why}
      </p>
      {item.prompt.length > 0 && (
        <button type="button" className="quiet" onClick={() => actions.send(item.prompt)}>
          <Icon name="again" /> {PARTS.sendAgain}
        </button>
      )}
    </div>
  );
}
