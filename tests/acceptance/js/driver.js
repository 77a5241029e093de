// Steers one socket of socket.io-client: orders come as lines of JSON, received events go out so.
// Orders: connect {url, token, options?}, emit {name, payload}, call {name, payload}, cut, close.
"use strict";

const readline = require("node:readline");
const { io } = require("socket.io-client");

const report = (event, data) => process.stdout.write(JSON.stringify({ event, data }) + "\n");
let socket;

const orders = {
  connect({ url, token, query = {}, options = {} }) {
    socket = io(`${url}/chat-run`, {
      auth: { token },
      query,
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      ...options,
    });
    socket.on("connect", () => report("connect", { id: socket.id, recovered: socket.recovered }));
    socket.on("disconnect", (reason) => report("disconnect", { reason }));
    socket.on("connect_error", (error) => report("connect_error", { message: error.message }));
    socket.onAny((name, data) => report(name, data));
  },
  emit: ({ name, payload }) => socket.emit(name, payload),
  call: ({ name, payload }) => socket.emit(name, payload, (answer) => report("ack", answer)),
  cut: () => socket.io.engine.close(),
  close: () => socket.disconnect(),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  orders[order.do](order);
});
