import type { ConnectionState, SessionView } from "../../client";
import { QuestionCard } from "./question_card";
import { STATES } from "../said";
import { useNow } from "../use_now";
import { compressionWords, runWords, seconds } from "../words";

interface Props {
  readonly view: SessionView;
  readonly connection: ConnectionState;
  readonly onAnswer: (questionId: number, choice: string) => void;
}

const SHORT = 4_000; // milliseconds: shorter waits need no clock

/** What the live run does now, since when, and what it wants to know. */
export function RunStatus({ view, connection, onAnswer }: Props) {
  const isLive = connection.kind === "live" && view.state === "live";
  const now = useNow(1_000, isLive);
  const waited = now - (view.heardAt ?? view.since);
  const summary = compressionWords(view);
  const words = isLive ? runWords(view) : STATES.offline;
  return (
    <div className="run-status">
      {summary && <p className="note">{summary}</p>}
      {view.questions.map((question) => (
        <QuestionCard
          key={question.id}
          question={question}
          canAnswer={isLive}
          onAnswer={(choice) => onAnswer(question.id, choice)}
        />
      ))}
      {view.isWorking && (
        <p className="muted working">
          <span className="pulse" aria-hidden="true" />
          {isLive && waited > SHORT ? STATES.working(words, seconds(waited)) : words}
        </p>
      )}
    </div>
  );
}
