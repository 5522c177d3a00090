// Shows the frames of a WebSocket. The token goes into the first frame, never into an address.
"use strict";

const MOST_FRAMES = 500;
const field = (id) => document.getElementById(id);
let socket = null;

function say(text) {
  field("state").textContent = text;
}

function show(text) {
  const line = document.createElement("pre");
  line.textContent = text;
  const frames = field("frames");
  frames.prepend(line);
  while (frames.childElementCount > MOST_FRAMES) {
    frames.lastElementChild.remove();
  }
}

function take(text) {
  const frame = JSON.parse(text);
  if (frame.id) {
    field("last").value = frame.id;
  }
  show(JSON.stringify(frame, null, 2));
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const channels = field("channels").value.split(",").map((name) => name.trim()).filter(Boolean);
  const last = field("last").value.trim();
  socket?.close();
  const opened = new WebSocket(`${scheme}//${location.host}/api/v1/ws`);
  socket = opened;
  opened.onopen = () => {
    opened.send(JSON.stringify({ type: "auth", token: field("token").value.trim() }));
    const ask = { type: "subscribe", channels };
    if (last) {
      ask.last_event_id = last;
    }
    opened.send(JSON.stringify(ask));
    say("Connected.");
  };
  opened.onmessage = (message) => take(message.data);
  opened.onclose = (end) => {
    if (socket === opened) {
      say(`Closed: ${end.code} ${end.reason}`);
    }
  };
}

field("connect").addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});
field("close").addEventListener("click", () => socket?.close());
