/** All that this room says to people, in one place. Pure. */
import type { TimelineStep } from "../client/api.generated";
import type { Status } from "./parts/runs_api";

export const WORDS = {
  title: "Runs",
  overview: "Overview",
  toChat: "Chat",
  signOut: "Sign out",
  theme: "Theme",
  ownOnly: "You see your own runs. Those of everybody are shown to operators.",
  notFoundTitle: "There is nothing here",
  notFound: "This page does not exist.",
  backToList: "All runs",
  loading: "Loading",
  tryNow: "Try now",
  failed: "Failed",
  none: "–",
  unknown: "unknown",
  notComplete: "There were more runs than are counted here; the oldest are left out.",

  live: "Live",
  asOf: (since: string) => `As of ${since} ago.`,
  offline: "There is no connection.",

  // the list
  filterState: "State",
  filterProfile: "Profile",
  filterOwner: "Owner",
  filterReason: "Reason",
  filterPeriod: "Made in the last",
  any: "any",
  all: "All",
  periods: { hour: "hour", day: "day", week: "7 days" },
  clear: "Clear filters",
  emptyAll: "No run was made in this time.",
  emptyFiltered: "No run fits these filters.",
  held: (count: number) => (count === 1 ? "1 new run" : `${count} new runs`),
  older: "Older runs",
  newest: "Newest runs",
  olderPage: "You look at older runs, which are not updated by themselves.",
  restricted: (what: string, value: string) => `Only of ${what} ${value}`,
  worker: "worker",
  session: "session",
  remove: "Remove this filter",
  keys: "Arrow keys go from run to run, Enter opens one.",
  gone: "moved on",
  columns: {
    state: "State",
    session: "Session",
    owner: "Owner",
    profile: "Profile",
    made: "Made",
    waited: "Waited",
    firstToken: "First token",
    pace: "Tokens/s",
    worker: "Worker",
    attempt: "Attempt",
    reason: "Reason",
  },
  columnHelp: {
    waited: "From when it was made until a worker had it",
    firstToken: "From when it was made until the first text",
    pace: "Output tokens a second from the first text to the end; ≈ of a live run, from its characters",
    attempt: "How often it was sent to the gateway, and how often another worker took it over",
  },
  noSession: "no session",
  takenOver: (count: number) => (count === 1 ? "taken over" : `taken over ${count} times`),

  // one run
  run: "Run",
  stop: "Stop",
  stopAsk: "Stop this run? What was said so far is kept.",
  stopYes: "Stop it",
  stopping: "It stops.",
  stopped: "It had not begun, and is cancelled.",
  retry: "Run again",
  retried: "Started again as",
  no: "Keep it",
  conversation: "Open the conversation",
  facts: {
    owner: "Owner",
    session: "Session",
    profile: "Profile",
    model: "Model",
    worker: "Worker",
    made: "Made",
    waited: "Waited",
    firstToken: "First token",
    took: "Took",
    pace: "Tokens/s",
    tokens: "Output tokens",
    attempts: "Attempts",
    reason: "Reason",
    position: "Place in the queue",
  },
  timeline: "Timeline",
  timelineOf: (lanes: number) =>
    lanes === 1 ? "Timeline of one attempt" : `Timeline of ${lanes} attempts`,
  queueLane: "Queue",
  lane: (number: number, takenOver: boolean) =>
    takenOver ? `Attempt ${number}, taken over` : `Attempt ${number}`,
  bars: {
    wait: "In the queue",
    begin: "Until the first text",
    text: "Writes",
    tool: "Tool",
    ask: "Waits for an answer",
    summary: "Summarizes older messages",
  },
  pointAt: "Point at a mark to see when it was.",
  steps: "Steps",
  stepColumns: { step: "Step", at: "Time", after: "After", details: "Details" },
  leftOut: (count: number) => `${count} further steps were not kept.`,
  rowsOnly: "What happened between claim and end is not known: its log is gone.",
  noTime: "time unknown",
  compressions: "Summaries of older messages",
  events: "Events",
  eventColumns: { seq: "No.", event: "Event", at: "Time", size: "Characters", content: "Content" },
  noContents: "Contents are shown to the owner only.",
  noLog: "The events are no longer kept. The timeline stays.",
  fromCheckpoint: (first: number) => `Events before no. ${first} were folded together.`,
  newestEvents: (count: number) => `The newest ${count}.`,
  notFoundRun: "There is no such run, or it is somebody else's.",
  paceTitle: "Characters per second",
  gapTitle: "Pause before each piece of text",
  noText: "No event has come yet.",

  // the overview
  window: "Time",
  windows: { hour: "Last hour", day: "Last day", week: "Last week" },
  waiting: "Waiting",
  liveRuns: "Live",
  oldestWaiting: (age: string) => `the oldest for ${age}`,
  gatewaySlots: "Gateway slots",
  workerSlots: "Worker slots",
  ofTotal: (used: number, total: number) => `${used} of ${total}`,
  noLimit: "no limit",
  slotsUnknown: "not all workers report theirs",
  parked: "Parked deletions",
  plots: {
    outcomes: "Runs by outcome",
    wait: "Wait for a worker",
    firstToken: "First token",
    live: "Live runs by profile",
    tokens: "Tokens by day and model",
    cost: "Cost by day and model",
  },
  p50: "half of the runs, at most",
  p95: "95 %, at most",
  otherProfiles: "all others",
  noModel: "not named",
  table: "As a table",
  tableTime: "From",
  noData: "Nothing to show in this time.",
  queues: "Queues",
  queueColumns: {
    profile: "Profile",
    waiting: "Waiting",
    live: "Live",
    slots: "Slots",
    oldestWaiting: "Oldest waiting",
    oldestLive: "Oldest live",
  },
  workers: "Workers",
  noWorkers: "No worker reports. Runs wait until one is started.",
  workerColumns: {
    worker: "Worker",
    state: "State",
    slots: "Slots in use",
    leases: "Leases",
    next: "Next lease ends in",
  },
  workerStates: {
    ready: "takes runs",
    full: "full",
    draining: "ends, takes no runs",
    silent: "does not report",
    lapsed: "lease lapsed",
  },
  workerHelp:
    "A worker that does not report is dead, or of an earlier version. When a lease has lapsed, another worker takes the run over.",
  lapsedSince: (age: string) => `lapsed ${age} ago`,
  deletions: "Parked deletions",
  deletionsHelp: "Sessions at gateways that could not be deleted.",
  noDeletions: "None is parked.",
  deletionsForAdmins: (count: number) => `${count} parked. The list is shown to administrators.`,
  deletionColumns: {
    profile: "Profile",
    session: "Session at the gateway",
    tries: "Tries",
    error: "Error",
    since: "Parked for",
  },
  retryAll: (profile: string) => `Try all of ${profile} again`,
  retriedDeletions: (count: number) =>
    count === 1 ? "One is tried again." : `${count} are tried again.`,
  flower: "Task queues in Flower",
} as const;

export const STATUS: Record<Status, string> = {
  queued: "Waiting",
  running: "Running",
  waiting_for_approval: "Asks",
  stopping: "Stopping",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  interrupted: "Interrupted",
};

const REASON: Record<string, string> = {
  worker_lost: "its worker was lost",
  gateway_unreachable: "gateway not reachable",
  gateway_error: "gateway error",
  gateway_lost_run: "the gateway lost it",
  post_uncertain: "unclear whether the gateway got it",
  timeout: "took too long",
  aborted: "stopped",
  start_deadline: "did not start in time",
  internal: "internal error",
};

export function reasonWords(reason: string | null): string {
  return reason === null ? "" : (REASON[reason] ?? reason);
}

const STEP: Record<TimelineStep["step"], string> = {
  queued: "Queued",
  claimed: "Claimed by a worker",
  posted: "Posted to the gateway",
  started: "Started at the gateway",
  first_token: "First token",
  tool_started: "Tool started",
  tool_completed: "Tool done",
  approval_requested: "Asks for approval",
  approval_answered: "Answered",
  approval_resolved: "Answer at the gateway",
  compression_started: "Summary started",
  compression_ended: "Summary done",
  retrying: "Sent back, tries again",
  reattached: "Reattached",
  stop_requested: "Stop asked for",
  ended: "Ended",
};

export function stepWords(step: TimelineStep): string {
  return STEP[step.step];
}

/** The details of a step; empty if it has none. */
export function stepDetails(step: TimelineStep): string {
  const found: string[] = [];
  if (step.tool) found.push(step.tool);
  if (step.failed) found.push("with an error");
  if (step.taken_over) found.push("taken over from another worker");
  if (step.mode)
    found.push(step.mode === "polling" ? "asks for the state" : "reads the stream again");
  if (step.choice) found.push(step.choice);
  if (step.reason) found.push(reasonWords(step.reason));
  if (step.delay) found.push(`in ${step.delay} s`);
  return found.join(", ");
}
