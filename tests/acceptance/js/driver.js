// Steers one socket of socket.io-client: orders come as lines of JSON, what is heard goes out so.
// Orders: connect {url, token, options?}, emit {name, payload}, call {name, payload}, cut, close.
"use strict";

const readline = require("node:readline");
const { io } = require("socket.io-client");

const tell = (heard, data) => process.stdout.write(JSON.stringify({ heard, data }) + "\n");
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
    socket.on("connect", () => tell("connect", { id: socket.id, recovered: socket.recovered }));
    socket.on("disconnect", (reason) => tell("disconnect", { reason }));
    socket.on("connect_error", (error) => tell("connect_error", { message: error.message }));
    socket.onAny((name, data) => tell(name, data));
  },
  emit: ({ name, payload }) => socket.emit(name, payload),
  call: ({ name, payload }) => socket.emit(name, payload, (answer) => tell("ack", answer)),
  cut: () => socket.io.engine.close(),
  close: () => socket.disconnect(),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  orders[order.do](order);
});
