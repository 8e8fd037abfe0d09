import assert from "node:assert/strict";
import { test } from "node:test";

import { cursor, gaps, joined, missed, seen, unread } from "../state/rooms.js";
import { apply, initial, loading } from "../state/store.js";
import { ana, ben, garden, hello, lobby, message, posted, room, session } from "./world.js";

const greeted = (...rooms) => apply(initial(session, "/"), hello(rooms));
const told = (state, ...frames) => frames.reduce(apply, state);
const count = (state, at = lobby) => unread(state.rooms.get(at));

test("unread is what was posted after the read mark, in a room that was never opened too", () => {
  const state = greeted(room(lobby, { head: 7, n: 5, read: { seq: 4, n: 3 } }));
  assert.equal(count(state), 2);
  const more = told(state, { type: "member_joined", room: lobby, seq: 8, at: 0, by: ben, user: ben, role: "member" },
    posted(9, "x", { n: 6 }), posted(9, "x", { n: 6 }));
  assert.deepEqual([count(more), more.rooms.get(lobby).room.head], [3, 9]);
});

test("my own posts are read, from whichever device", () => {
  const state = told(greeted(room(lobby, { head: 2, n: 2, read: { seq: 0, n: 0 } })), posted(3, "mine", { by: ana }));
  assert.equal(count(state), 0);
});

test("a read mark only grows", () => {
  const state = greeted(room(lobby, { head: 9, n: 9, read: { seq: 5, n: 5 } }));
  const on = told(state,
    { type: "read_marked", room: lobby, seq: 8, n: 8 }, { type: "read_marked", room: lobby, seq: 6, n: 6 });
  assert.equal(count(on), 1);
  assert.equal(seen(on, lobby, 3), on);
});

test("a missing event is counted when it is known by its ordinal, and asked for", () => {
  const state = told(greeted(room(lobby, { head: 2, n: 2, read: { seq: 2, n: 2 } })), posted(5, "x", { n: 4 }));
  assert.deepEqual([count(state), cursor(state, lobby), gaps(state)], [2, 2, [{ room: lobby, after: 2 }]]);
  const filled = told(state, posted(3, "y", { n: 3 }));
  assert.deepEqual([cursor(filled, lobby), gaps(filled)], [3, []]);
});

test("a beat from before a gap does not close it", () => {
  const open = loading(greeted(room(lobby, { head: 2 })), lobby, "newest");
  const state = missed(told(open, posted(5, "x")), { [lobby]: 2 });
  assert.deepEqual(gaps(state), [{ room: lobby, after: 2 }]);
});

test("a gap of a room goes over to its timeline when the room is opened", () => {
  const state = loading(told(greeted(room(lobby, { head: 2 })), posted(5, "x")), lobby, "newest");
  assert.deepEqual(gaps(state), [{ room: lobby, after: 2 }]);
});

test("a reset of a room that was never opened brings its counts up to date", () => {
  const state = told(greeted(room(lobby, { head: 2, n: 2, read: { seq: 2, n: 2 } })),
    { type: "lagged", room: lobby },
    { type: "reset", room: lobby, as_of: 3000, messages: [message(2999, "x", { n: 2500 })], more: true });
  assert.deepEqual([count(state), cursor(state, lobby), gaps(state), state.timelines.size], [2498, 3000, [], 0]);
});

test("rooms stand by name, and presence stays over a reconnect", () => {
  const here = { type: "presence", room: garden, count: 2, here: [ana, ben] };
  const state = told(greeted(room(lobby), room(garden)), here, hello([room(lobby), room(garden)]));
  assert.deepEqual([...state.rooms.keys()], [garden, lobby]);
  assert.deepEqual(state.rooms.get(garden).presence, { count: 2, here: [ana, ben] });
});

test("whoever is removed sees by whom until they look away, and nothing of the room's messages", () => {
  const open = loading(greeted(room(garden, { head: 4 })), garden, "newest");
  const removed = told(open, { type: "room_left", room: garden, seq: 5, by: ben });
  assert.deepEqual([removed.rooms.get(garden).leftBy, removed.timelines.size], [ben, 0]);
  assert.deepEqual(gaps(missed(removed, { [garden]: 9 })), []);
  assert.equal(told(removed, hello([])).rooms.size, 0);
  const back = told(removed, { type: "room_joined", room: room(garden, { head: 6 }) });
  assert.equal(back.rooms.get(garden).leftBy, undefined);
});

test("whoever leaves sees no notice", () => {
  for (const by of [undefined, ana]) {
    assert.equal(told(greeted(room(garden)), { type: "room_left", room: garden, seq: 5, by }).rooms.size, 0);
  }
});

test("the end of an older membership does not end the present one", () => {
  const state = joined(greeted(), room(garden, { head: 8 }));
  assert.equal(told(state, { type: "room_left", room: garden, seq: 5 }), state);
});

test("frames about rooms that are not mine change nothing", () => {
  const state = greeted(room(lobby));
  assert.equal(told(state, posted(1, "x", { room: garden }), { type: "presence", room: garden, count: 0, here: [] },
    { type: "read_marked", room: garden, seq: 1, n: 1 }, { type: "lagged", room: garden }, { type: "unknown" }), state);
});

test("names like those of an object's insides are rooms like any other", () => {
  const state = told(greeted(room("__proto__", { head: 1 }), room("constructor")),
    posted(2, "x", { room: "__proto__", n: 2 }));
  assert.equal(count(state, "__proto__"), 2);
  assert.deepEqual(gaps(missed(state, JSON.parse('{"__proto__":9}'))), [{ room: "__proto__", after: 2 }]);
});

test("what one may do is what the server says, and nothing before it has said so", () => {
  const before = initial(session, "/");
  assert.deepEqual(before.may, []);
  const greeted = apply(before, hello([room(lobby, { role: "owner", may: ["post"] })], { may: ["find_people"] }));
  assert.deepEqual([greeted.may, greeted.rooms.get(lobby).room.may], [["find_people"], ["post"]]);
  const told = apply(greeted, { type: "room_joined", room: room(lobby, { role: "guest", may: ["post", "invite"] }) });
  assert.deepEqual(told.rooms.get(lobby).room.may, ["post", "invite"]);
});
