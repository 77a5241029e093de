interface Props {
  readonly isDemo: boolean;
  readonly onSend: (text: string) => void;
}

const DEMO_PROMPTS = [
  {
    label: "A long answer",
    hint: "Close the tab meanwhile, or restart the server",
    text: 'Say something long. [[demo {"tokens": 600, "rate": 40}]]',
  },
  {
    label: "A tool",
    hint: "How a call and its result look",
    text: "Count these words with a tool.",
  },
  {
    label: "A question",
    hint: "It waits for your answer, in every tab",
    text: 'Ask me first. [[demo {"tokens": 60, "rate": 30, "approval": {"after": 20}}]]',
  },
] as const;

/** What an empty conversation says. */
export function Welcome({ isDemo, onSend }: Props) {
  return (
    <div className="welcome">
      <h2>What shall the agent do?</h2>
      <p className="muted">
        Close the tab or lose the connection whenever you like: the answer goes on, and is here when
        you come back.
      </p>
      {isDemo && (
        <ul className="demo-prompts">
          {DEMO_PROMPTS.map((one) => (
            <li key={one.label}>
              <button type="button" className="card" onClick={() => onSend(one.text)}>
                <strong>{one.label}</strong>
                <span className="muted">{one.hint}</span>
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
      <summary>Demo gateway: no model is behind it. How to connect one</summary>
      <p>Start the API server of your Hermes Agent, and Holdfast with its address and key:</p>
      <p>
        <code>API_SERVER_ENABLED=true API_SERVER_KEY=some-secret hermes gateway run</code>
      </p>
      <p>
        <code>HERMES_URL=http://127.0.0.1:8642 HERMES_API_KEY=some-secret make run</code>
      </p>
    </details>
  );
}
