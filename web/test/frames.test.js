import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { decode, delay } from "../net/socket.js";
import { joined } from "../state/rooms.js";
import { apply, initial } from "../state/store.js";
import { connected, lobby, room, session, settled } from "./world.js";

const folder = new URL("../../crates/protocol/fixtures/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const named = (start) => readdirSync(folder).filter((name) => name.startsWith(start) && name.endsWith(".json"));

for (const name of [...named("frame."), ...named("event.")]) {
  test(`${name} is read, and applied without harm`, () => {
    const frame = decode(read(name));
    assert.equal(frame.type, name === "frame.unknown.json" ? "unknown" : JSON.parse(read(name)).type);
    const state = joined(initial(session, "/"), room(frame.room?.id ?? frame.room ?? lobby));
    assert.ok(apply(state, frame));
  });
}

test("a frame that this client does not know keeps its place", () => {
  const { room: at, seq } = JSON.parse(read("frame.unknown.json"));
  assert.deepEqual(decode(read("frame.unknown.json")), { type: "unknown", room: at, seq });
  assert.deepEqual(decode('{"type":"weather","sunny":true}'), { type: "unknown" });
});

test("what is not a frame is none", () => {
  const texts = ["", "nonsense", "null", "7", '"hello"', "[]", "{}", '{"type":7}'];
  for (const text of texts) assert.equal(decode(text), null);
});

/** What sends a command of each type; any other is asked for as it is. */
const asking = {
  create_invite: (actions, { room: at, uses, hours }) => actions.createInvite({ room: at, uses, hours }),
  join_room: (actions, { room: at }) => actions.joinRoom(at),
  leave_room: (actions, { room: at }) => actions.leaveRoom(at),
  mark_read: (actions, { room: at, seq }) => actions.markRead(at, seq),
  open_room: (actions, { name, kind }) => actions.openRoom({ name, kind }),
  post_message: (actions, { room: at, text }) => actions.post(at, text),
};

for (const name of named("command.")) {
  const { id: _, nonce, ...expected } = JSON.parse(read(name));
  test(`${name} is what the client sends`, async () => {
    const tab = await connected([room(expected.room)]);
    const ask = asking[expected.type] ?? ((actions) => actions.ask(expected));
    void Promise.resolve(ask(tab.actions, expected)).catch(() => {});
    await settled();
    const { id, nonce: made, ...sent } = tab.wires.last.sent.at(-1);
    assert.deepEqual(sent, expected);
    assert.ok(Number.isSafeInteger(id));
    if (nonce !== undefined) assert.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  });
}

for (const { code, comes_back: comesBack } of JSON.parse(read("close_codes.json"))) {
  test(`after close code ${code} the client ${comesBack ? "comes back" : "stays away"}`, async () => {
    const tab = await connected();
    tab.answers["GET /api/v1/session"] = [200, { ...session, user: comesBack ? session.user : null }];
    tab.wires.last.ends(code);
    await tab.clock.pass(60_000);
    assert.equal(tab.wires.all.length > 1, comesBack);
  });
}

test("waiting grows with each attempt, up to half a minute, and is never the same for all", () => {
  assert.ok(delay(1, 1006, "", 0.999) <= 1000);
  assert.deepEqual([1, 2, 3, 10, 99].map((attempt) => delay(attempt, 1006, "", 1)), [1000, 2000, 4000, 30000, 30000]);
  assert.equal(delay(9, 1006, "", 0), 0);
});

test("after a restart everybody comes back at the time the server gave them", () => {
  assert.deepEqual([1, 2, 9].map((attempt) => delay(attempt, 1012, '{"retry_after_ms":37}', 0.999)), [37, 37, 37]);
  assert.deepEqual([0, 0.5, 1].map((random) => delay(1, 1012, "", random)), [0, 500, 1000]);
});

test("a server that names a time is not asked before", () => {
  assert.equal(delay(1, 1008, '{"retry_after_ms":7000}', 0), 7000);
  assert.equal(delay(1, 1008, '{"retry_after_ms":"soon"}', 0), 0);
  assert.equal(delay(1, 1008, "busy", 0), 0);
});
