/** What happened in a session that a person may want to know of. Pure. */
import { messagesOf, type SessionView } from "../client";

export interface Happening {
  readonly kind: "done" | "failed" | "question";
  /** The same in all tabs. */
  readonly key: string;
  readonly sessionId: string;
  readonly title: string | undefined;
  /** The beginning of the answer, or what the agent wants to do. */
  readonly text: string;
}

const LONGEST = 160; // characters

/** What is new in `after`. It does not matter whether events or a snapshot have brought it. */
export function happenings(before: SessionView, after: SessionView): Happening[] {
  const common = { sessionId: after.sessionId, title: after.title };
  const known = new Set(before.questions.map(questionKey));
  const asked = after.questions.filter((one) => !known.has(questionKey(one)));
  const found: Happening[] = asked.map((one) => ({
    ...common,
    kind: "question",
    key: questionKey(one),
    text: shortened(one.description || one.command),
  }));
  const ended = before.liveRun;
  const isOver = ended !== undefined && before.isWorking && !isRunning(after, ended);
  if (isOver && after.state === "live" && after.end?.status !== "aborted") {
    const answer = messagesOf(after).findLast((one) => one.run_id === ended);
    const isAnswered = after.end?.status !== "failed" && answer?.finish_reason !== "error";
    const isStopped = answer?.finish_reason === "aborted";
    const text = answer?.role === "assistant" ? answer.content : "";
    const kind = isAnswered ? "done" : "failed";
    if (!isStopped) found.push({ ...common, kind, key: ended, text: shortened(text) });
  }
  return found;
}

function isRunning(view: SessionView, runId: string): boolean {
  return view.isWorking && view.liveRun === runId && view.end?.runId !== runId;
}

function questionKey(question: { runId: string; id: number }): string {
  return `${question.runId}:${question.id}`;
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - 1)}…`;
}
