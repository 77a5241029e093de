import { useRef, type ReactNode } from "react";
import { Virtualizer } from "virtua";
import { Icon } from "../design/icons";
import type { Item } from "./items";
import { Answer, Ending, Prompt, Reasoning, Tool, type Actions } from "./parts";
import { useStick } from "./use_stick";

interface Props {
  readonly items: readonly Item[];
  readonly actions: Actions;
  /** What the live run does. */
  readonly status: ReactNode;
  /** What stands before the first message. */
  readonly before: ReactNode;
}

/** The messages; only those in sight are in the document. */
export function Conversation({ items, actions, status, before }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { isAtEnd, onScroll, toEnd } = useStick(box, content);
  return (
    <div className="conversation">
      <div
        ref={box}
        className="scroll"
        onScroll={onScroll}
        tabIndex={0}
        role="region"
        aria-label="Conversation"
      >
        <div ref={content} className="column">
          {before}
          <Virtualizer scrollRef={box}>
            {items.map((item) => (
              <div className={`row row-${item.kind}`} key={item.key}>
                {drawn(item, actions, status)}
              </div>
            ))}
          </Virtualizer>
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" className="button to-end" onClick={toEnd}>
          <Icon name="down" /> To the newest
        </button>
      )}
    </div>
  );
}

function drawn(item: Item, actions: Actions, status: ReactNode): ReactNode {
  switch (item.kind) {
    case "prompt":
      return <Prompt item={item} actions={actions} />;
    case "reasoning":
      return <Reasoning item={item} />;
    case "answer":
      return <Answer item={item} />;
    case "tool":
      return <Tool item={item} />;
    case "ending":
      return <Ending item={item} actions={actions} />;
    case "status":
      return status;
  }
}
