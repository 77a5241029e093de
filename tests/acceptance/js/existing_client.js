// A page that knows only the first protocol: it connects once, asks for no acknowledgement, looks
// at session_id alone, listens per run until that session's first run.completed or run.failed,
// waits 15 s for one `resumed`, and sends `resume` only when a person opens a session.
// Orders: connect {url, token, profile?}, run {label, session_id, input}, abort {session_id},
// open {session_id}. Reports what each run's listeners got: {event, data: {label, …}}.
"use strict";

const readline = require("node:readline");
const { io } = require("socket.io-client");

const PASSED_ON = [
  "run.started", "run.queued", "message.delta", "reasoning.delta", "thinking.delta",
  "reasoning.available", "tool.started", "tool.completed", "compression.started",
  "compression.completed", "abort.started", "abort.completed", "usage.updated",
];
const RESUMED_WITHIN = 15000;

const report = (event, data) => process.stdout.write(JSON.stringify({ event, data }) + "\n");
let socket;

function connect({ url, token, profile = "default" }) {
  socket = io(`${url}/chat-run`, {
    auth: { token },
    query: { profile },
    transports: ["websocket", "polling"],
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
  });
  socket.on("connect", () => report("connect", { recovered: socket.recovered }));
  socket.on("connect_error", (error) => report("connect_error", { message: error.message }));
}

function run({ label, session_id, input }) {
  const listeners = new Map();
  const done = () => listeners.forEach((listener, name) => socket.off(name, listener));
  const listen = (name, ends) => {
    const listener = (data) => {
      if (data.session_id && data.session_id !== session_id) return;
      if (ends) done();
      report(name, { ...data, label });
    };
    listeners.set(name, listener);
    socket.on(name, listener);
  };
  PASSED_ON.forEach((name) => listen(name, false));
  listen("run.completed", true);
  listen("run.failed", true);
  socket.emit("run", { input, session_id });
}

function open({ session_id }) {
  const timer = setTimeout(() => report("resume.timeout", { session_id }), RESUMED_WITHIN);
  socket.once("resumed", (data) => {
    clearTimeout(timer);
    report("resumed", data);
  });
  socket.emit("resume", { session_id });
}

const orders = { connect, run, open, abort: ({ session_id }) => socket.emit("abort", { session_id }) };

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  orders[order.do](order);
});
