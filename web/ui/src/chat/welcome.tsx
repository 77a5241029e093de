import { WELCOME } from "./said";

interface Props {
  readonly isDemo: boolean;
  readonly onSend: (text: string) => void;
}

/** What the demo gateway does with a prompt. */
const DEMO_SCRIPTS = {
  long: ' [[demo {"tokens": 600, "rate": 40}]]',
  tool: "",
  question: ' [[demo {"tokens": 60, "rate": 30, "approval": {"after": 20}}]]',
} as const;
const DEMO_PROMPTS = ["long", "tool", "question"] as const;

/** What an empty conversation says. */
export function Welcome({ isDemo, onSend }: Props) {
  return (
    <div className="welcome">
      <h2>{WELCOME.title}</h2>
      <p className="muted">{WELCOME.promise}</p>
      {isDemo && (
        <ul className="demo-prompts">
          {DEMO_PROMPTS.map((one) => (
            <li key={one}>
              <button
                type="button"
                className="card"
                onClick={() => onSend(WELCOME[one].text + DEMO_SCRIPTS[one])}
              >
                <strong>{WELCOME[one].label}</strong>
                <span className="muted">{WELCOME[one].hint}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Where no model is behind the gateway, and what to do about it. */
export function DemoLine() {
  return (
    <details className="demo-line">
      <summary>{WELCOME.demo}</summary>
      <p>{WELCOME.connect}</p>
      <p>
        <code>API_SERVER_ENABLED=true API_SERVER_KEY=some-secret hermes gateway run</code>
      </p>
      <p>
        <code>HERMES_URL=http://127.0.0.1:8642 HERMES_API_KEY=some-secret make run</code>
      </p>
    </details>
  );
}
