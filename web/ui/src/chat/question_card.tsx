import type { Question } from "../client";

const CHOICES: Readonly<Record<string, { label: string; meaning: string }>> = {
  once: { label: "Allow once", meaning: "this time only" },
  session: { label: "Allow in this session", meaning: "and everything like it, in this session" },
  always: { label: "Always allow", meaning: "and everything like it, in every session" },
  deny: { label: "Deny", meaning: "the agent goes on without it" },
};

interface Props {
  readonly question: Question;
  readonly canAnswer: boolean;
  readonly onAnswer: (choice: string) => void;
}

/** What the agent wants to do, and what each answer means. */
export function QuestionCard({ question, canAnswer, onAnswer }: Props) {
  const { chosen } = question;
  return (
    <section className="question" aria-label="The agent asks">
      <h3>The agent asks before it acts</h3>
      {question.description && <p dir="auto">{question.description}</p>}
      {question.command && (
        <pre tabIndex={0} dir="ltr">
          {question.command}
        </pre>
      )}
      {chosen !== undefined ? (
        <p role="status">
          You chose “{CHOICES[chosen]?.label ?? chosen}”. Waiting for the agent to take it.
        </p>
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
                {CHOICES[choice]?.label ?? choice}
              </button>
              <span className="muted">{CHOICES[choice]?.meaning}</span>
            </li>
          ))}
        </ul>
      )}
      {!canAnswer && <p className="muted">It can be answered when the connection is back.</p>}
    </section>
  );
}
