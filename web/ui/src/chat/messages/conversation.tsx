import { memo, useEffect, useLayoutEffect, useRef, type ReactNode } from "react";
import { Virtualizer } from "virtua";
import { Icon } from "../../design/icons";
import type { Item } from "./items";
import { Answer, Ending, Reasoning, Tool, type Actions } from "./parts";
import { Prompt } from "./prompt";
import { Foot } from "./foot";
import { PARTS } from "../said";
import { useStick } from "./use_stick";

interface Props {
  readonly items: readonly Item[];
  readonly actions: Actions;
  /** What the live run does. */
  readonly status: ReactNode;
  /** What stands in place of messages if there are none. */
  readonly empty: ReactNode;
  /** The line before the first message. */
  readonly oldest: ReactNode;
  /** There are older messages, which are read when somebody comes near them. */
  readonly onNearTop: (() => void) | undefined;
  /** How many messages were sent from here: whoever sends one is shown it. */
  readonly sent: number;
}

/** Pixels from the top at which older messages are read: before somebody sees that they lack. */
const NEAR_TOP = 2_000;
/** The height of the line before the first message, as the style sheet has it. */
const OLDEST = 40;

/** The messages; only those in sight are in the document. */
export function Conversation({ items, actions, status, empty, oldest, onNearTop, sent }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { isAtEnd, onScroll, onHand, toEnd } = useStick(box, content);
  const isPrepended = usePrepended(items);

  const look = () => {
    const top = box.current?.scrollTop ?? 0;
    if (top < NEAR_TOP) onNearTop?.();
  };
  useEffect(look);

  useEffect(toEnd, [sent, toEnd]);

  return (
    <div className="conversation">
      <div
        ref={box}
        className="scroll"
        onScroll={() => {
          onScroll();
          look();
        }}
        onWheel={onHand}
        onTouchMove={onHand}
        onKeyDown={onHand}
        tabIndex={0}
        role="region"
        aria-label={PARTS.conversation}
      >
        <div ref={content} className="column">
          {items.length ? <div className="oldest">{oldest}</div> : empty}
          <Virtualizer
            scrollRef={box}
            data={items}
            shift={isPrepended}
            startMargin={items.length ? OLDEST : 0}
          >
            {(item) => (
              <div className={`row row-${item.kind}`} key={item.key}>
                {item.kind === "status" ? status : <Part item={item} actions={actions} />}
              </div>
            )}
          </Virtualizer>
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" className="button to-end" onClick={toEnd}>
          <Icon name="down" /> {PARTS.toEnd}
        </button>
      )}
    </div>
  );
}

/** Whether this drawing is the first one with items before those that were there. */
function usePrepended(items: readonly Item[]): boolean {
  const first = useRef<string>(undefined);
  const now = items[0]?.key;
  const before = first.current;
  useLayoutEffect(() => {
    first.current = now;
  }, [now]);
  return before !== undefined && before !== now && items.some((item) => item.key === before);
}

interface PartProps {
  readonly item: Exclude<Item, { kind: "status" }>;
  readonly actions: Actions;
}

/** Drawn again only if its item is another one. */
const Part = memo(function Part({ item, actions }: PartProps) {
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
    case "foot":
      return <Foot item={item} actions={actions} />;
  }
});
