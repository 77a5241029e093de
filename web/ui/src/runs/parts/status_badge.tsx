import type { Status } from "./runs_api";
import { STATUS } from "../words";

const TONE: Record<Status, "live" | "needs" | "quiet" | "wait"> = {
  queued: "wait",
  running: "live",
  waiting_for_approval: "needs",
  stopping: "wait",
  completed: "quiet",
  failed: "needs",
  interrupted: "needs",
  cancelled: "quiet",
};

/** A state, told apart by its word, and by a shape before it. */
export function StatusBadge({ status }: { readonly status: Status }) {
  return (
    <span className={`status status-${TONE[status]}`} data-status={status}>
      <span className="status-mark" aria-hidden="true" />
      {STATUS[status]}
    </span>
  );
}
