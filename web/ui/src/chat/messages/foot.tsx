import { Icon } from "../../design/icons";
import { costOf, readUsage } from "../chat_api";
import type { Actions, Of } from "./parts";
import { useAsked } from "../use_asked";
import { dollars, FOOT as WORDS, number } from "../words";

interface Props {
  readonly item: Of<"foot">;
  readonly actions: Actions;
}

/** Below the last answer: what it cost, and asking once more. */
export function Foot({ item, actions }: Props) {
  const { again, runId } = item;
  const usage = useAsked(runId, () => readUsage(runId ?? ""));
  const cost = usage && costOf(usage);
  return (
    <div className="foot muted">
      {again && (
        <button type="button" className="quiet" onClick={() => actions.askAgain(again, item.input)}>
          <Icon name="again" /> {WORDS.again}
        </button>
      )}
      {usage?.input_tokens !== undefined && (
        <span>
          {WORDS.tokens(number(usage.input_tokens), number(usage.output_tokens ?? 0))}
          {cost !== undefined && ` · ${dollars(cost)}`}
        </span>
      )}
    </div>
  );
}
