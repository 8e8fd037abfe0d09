// Node's `ws` as somebody on the simple protocol: node ws.mjs PATH_OF_WS URL OPTIONS TEXT…
// Joins the kitchen, says each text, and prints as JSON what was agreed on and what it heard said.
const [ws, url, options, ...texts] = process.argv.slice(2);
const { default: WebSocket } = await import(ws);

const socket = new WebSocket(url, JSON.parse(options));
const heard = [];
// Whoever waits in vain does not wait for ever.
setTimeout(() => process.exit(1), 20_000).unref();
const say = (frame) => socket.send(JSON.stringify(frame));

socket.on("open", () => say({ type: "join", room: "kitchen", username: "Dot" }));
socket.on("message", (data) => {
  const frame = JSON.parse(data);
  if (frame.type === "roster") texts.forEach((text) => say({ type: "chat", text }));
  if (frame.type === "chat") heard.push(frame.text);
  if (heard.length === texts.length) socket.close(1000);
});
socket.on("close", (code) => console.log(JSON.stringify({ agreed: socket.extensions, heard, code })));
