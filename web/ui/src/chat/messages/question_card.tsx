import type { Question } from "../../client";
import { QUESTION } from "../said";

interface Props {
  readonly question: Question;
  readonly canAnswer: boolean;
  readonly onAnswer: (choice: string) => void;
}

/** What the agent wants to do, and what each answer means. */
export function QuestionCard({ question, canAnswer, onAnswer }: Props) {
  const { chosen } = question;
  const choices: Readonly<Record<string, { label: string; meaning: string }>> = QUESTION.choices;
  const labelOf = (choice: string) => choices[choice]?.label ?? choice;
  return (
    <section className="question" aria-label={QUESTION.label}>
      <h2>{QUESTION.title}</h2>
      {question.description && <p dir="auto">{question.description}</p>}
      {question.command && (
        <pre tabIndex={0} dir="ltr">
          {question.command}
        </pre>
      )}
      {chosen !== undefined ? (
        <p role="status">{QUESTION.chosen(labelOf(chosen))}</p>
      ) : (
        <ul className="choices">
          {question.choices.map((choice) => (
            <li key={choice}>
              <button
                type="button"
                className={choice === "deny" ? "button" : "button button-needs"}
                disabled={!canAnswer}
                onClick={() => onAnswer(choice)}
              >
                {labelOf(choice)}
              </button>
              <span className="muted">{choices[choice]?.meaning}</span>
            </li>
          ))}
        </ul>
      )}
      {!canAnswer && <p className="muted">{QUESTION.later}</p>}
    </section>
  );
}
