// EventSource as browsers have it: it connects again by itself, with the id of the last event.
// Orders: connect {url, token}, read {path}. Reports: connect, event {id, …the event}, open,
// error {closed, code}: `closed` when it does not try again.
"use strict";

const readline = require("node:readline");
const { EventSource } = require("eventsource");

const report = (event, data) => process.stdout.write(JSON.stringify({ event, data }) + "\n");
let server;

function connect({ url, token }) {
  server = { url, headers: { Authorization: `Bearer ${token}` } };
  report("connect", {});
}

function read({ path }) {
  const source = new EventSource(server.url + path, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...server.headers } }),
  });
  source.addEventListener("open", () => report("open", {}));
  source.addEventListener("message", ({ data, lastEventId }) =>
    report("event", { id: lastEventId, ...JSON.parse(data) }),
  );
  source.addEventListener("error", ({ code }) =>
    report("error", { closed: source.readyState === EventSource.CLOSED, code }),
  );
}

const orders = { connect, read };
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { do: order, ...fields } = JSON.parse(line);
  orders[order](fields);
});
