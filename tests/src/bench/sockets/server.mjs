// The peers of the live hub: `ws` and Socket.IO. Whatever is posted is told to all who listen.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";

const http = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const text = Buffer.concat(parts).toString();
    if (text) {
      tell(text);
    }
    response.end();
  });
});

let tell;
if (process.env.PEER === "ws") {
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  sockets.on("connection", (client) => client.send("ready"));
  tell = (text) => {
    for (const client of sockets.clients) {
      client.send(text);
    }
  };
} else {
  const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
  tell = (text) => io.emit("machine:status", JSON.parse(text));
}
http.listen(Number(process.env.PORT), "127.0.0.1");
