/** A timeline as lanes: the queue, then one for each claim of the run. Pure; epoch seconds. */
import type { RunTimeline, TimelineStep } from "../../client/api.generated";

export interface Mark {
  readonly step: TimelineStep;
  readonly at: number;
}

/** A stretch of time. `tool`: its name. `isOpen`: it has not ended. */
export interface Bar {
  readonly kind: "wait" | "begin" | "text" | "tool" | "ask" | "summary";
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly isOpen: boolean;
}

export interface Lane {
  /** 0: the queue. */
  readonly number: number;
  readonly takenOver: boolean;
  readonly marks: readonly Mark[];
  readonly bars: readonly Bar[];
}

export interface Lanes {
  readonly from: number;
  readonly to: number;
  readonly lanes: readonly Lane[];
}

interface Begun {
  number: number;
  takenOver: boolean;
  from: number;
  marks: Mark[];
}

/** `now`: until when a run that has not ended is drawn. */
export function lanesOf(timeline: RunTimeline, now: number): Lanes {
  const marks = timed(timeline.steps);
  const from = marks[0]?.at ?? now;
  const last = marks.at(-1);
  const isOver = last?.step.step === "ended";
  const to = Math.max(isOver ? last.at : now, from + 0.001, ...marks.map((mark) => mark.at));
  const queue: Begun = { number: 0, takenOver: false, from, marks: [] };
  const begun: Begun[] = [queue];
  for (const mark of marks) {
    if (mark.step.step === "claimed")
      begun.push({
        number: begun.length,
        takenOver: mark.step.taken_over === true,
        from: mark.at,
        marks: [mark],
      });
    else begun.at(-1)?.marks.push(mark);
  }
  return {
    from,
    to,
    lanes: begun.map((lane, index) => {
      const end = begun[index + 1]?.from ?? to;
      const isOpen = !isOver && index === begun.length - 1;
      return {
        number: lane.number,
        takenOver: lane.takenOver,
        marks: lane.marks,
        bars: lane.number ? barsOf(lane, end, isOpen) : [bar("wait", lane.from, end, "", isOpen)],
      };
    }),
  };
}

/** Steps without a time are where the one before them was; none is before the first. */
function timed(steps: readonly TimelineStep[]): Mark[] {
  let last = steps.find((step) => step.at !== null)?.at ?? 0;
  return steps.map((step) => {
    last = Math.max(last, step.at ?? last);
    return { step, at: last };
  });
}

function barsOf(lane: Begun, end: number, isOpen: boolean): Bar[] {
  const text = lane.marks.find((mark) => mark.step.step === "first_token")?.at;
  // A worker that took the run over goes on with what had begun.
  const begins = lane.takenOver ? lane.from : text;
  const found: Bar[] = [];
  if (!lane.takenOver && (begins ?? end) > lane.from)
    found.push(bar("begin", lane.from, begins ?? end, "", isOpen && begins === undefined));
  if (begins !== undefined) found.push(bar("text", begins, end, "", isOpen));
  found.push(...between(lane, "tool_started", "tool_completed", "tool", end, isOpen));
  found.push(...between(lane, "approval_requested", "approval_resolved", "ask", end, isOpen));
  found.push(...between(lane, "compression_started", "compression_ended", "summary", end, isOpen));
  return found;
}

function between(
  lane: Begun,
  first: TimelineStep["step"],
  second: TimelineStep["step"],
  kind: Bar["kind"],
  end: number,
  isOpen: boolean,
): Bar[] {
  const ends = lane.marks.filter((mark) => mark.step.step === second);
  return lane.marks
    .filter((mark) => mark.step.step === first)
    .map((mark) => {
      const at = ends.findIndex((one) => one.at >= mark.at && one.step.tool === mark.step.tool);
      const done = at < 0 ? undefined : ends.splice(at, 1)[0];
      return bar(kind, mark.at, done?.at ?? end, mark.step.tool ?? "", isOpen && !done);
    });
}

function bar(kind: Bar["kind"], from: number, to: number, name: string, isOpen: boolean): Bar {
  return { kind, from, to: Math.max(from, to), name, isOpen };
}
