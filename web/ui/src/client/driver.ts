/**
 * A client in Node that takes orders as lines of JSON, for tests with a real server. It reports
 * `{event: "connect"}` once and `{event: "changed", data}` after changes.
 */
import readline from "node:readline";
import { Client, MemoryStore, messagesOf } from "./index";

interface Order {
  do: string;
  url: string;
  token: string;
  session_id: string;
  input: string;
  on_busy?: "queue" | "interrupt";
  run_id: string;
  question: number;
  choice: string;
}

let client: Client | undefined;
let sessionId = "";
let isReporting = false;
let wasLive = false;

function report(event: string, data: unknown): void {
  process.stdout.write(JSON.stringify({ event, data }) + "\n");
}

function changed(): void {
  if (isReporting) return;
  isReporting = true;
  setImmediate(() => {
    isReporting = false;
    if (!client) return;
    const { cursors: _cursors, ends: _ends, states, ...view } = client.view(sessionId);
    if (client.state.kind === "live" && !wasLive) {
      wasLive = true;
      report("connect", {});
    }
    report("changed", {
      connection: client.state.kind,
      ...view,
      states: [...states.keys()],
      messages: messagesOf(client.view(sessionId)),
      outbox: client.outbox.items,
    });
  });
}

const orders: Record<string, (order: Order, client: Client) => unknown> = {
  watch: (order, to) => {
    sessionId = order.session_id;
    to.watch(sessionId);
  },
  begin: (order, to) => {
    sessionId = order.session_id;
    to.begin(sessionId);
  },
  send: (order, to) => to.send(sessionId, order.input, order.on_busy),
  abort: (_order, to) => to.abort(sessionId),
  cancel: (order, to) => to.cancel(sessionId, order.run_id),
  answer: (order, to) => to.answer(sessionId, order.question, order.choice),
  wake: (_order, to) => to.wake(),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as Order;
  if (order.do === "connect") {
    client = new Client({
      url: order.url,
      token: order.token,
      owner: "default",
      store: new MemoryStore(),
      onChange: changed,
    });
    client.open();
  } else if (client) {
    orders[order.do]?.(order, client);
  }
});
