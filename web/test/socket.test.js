import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ana, ben, connected, garden, hello, lobby, message, openTab, page, posted, room, session, settled,
} from "./world.js";

/** A tab that shows the lobby up to `head`. */
async function reading(head = 2, more = {}) {
  const tab = await connected([room(lobby, { head, n: head })], more);
  const loading = tab.actions.loadNewest(lobby);
  await settled();
  tab.wires.last.answers("list_messages", page(head, [message(head - 1, "one"), message(head, "two")]));
  await loading;
  return tab;
}

const texts = (tab) => tab.state.timelines.get(lobby).messages.map(({ text }) => text);
const status = (tab) => tab.state.connection.status;

test("signed in, a page connects with the native protocol and is open once greeted", async () => {
  const tab = openTab();
  assert.deepEqual([tab.wires.last.url, tab.wires.last.protocol], ["ws://localhost/ws", "roomful.v1"]);
  assert.deepEqual(tab.state.connection, { status: "connecting", retryAt: null, lostAt: null, ended: null });
  tab.wires.last.says(hello([room()]));
  assert.equal(status(tab), "open");
  assert.deepEqual([...tab.state.rooms.keys()], [lobby]);
});

test("signed out, nothing is connected until somebody signs in, and then the way leads home", async () => {
  const tab = openTab({ session: { ...session, user: null, role: undefined, session: null }, path: "/sign-in" });
  assert.equal(tab.wires.all.length, 0);
  tab.answers["POST /api/v1/session"] = [200, { user: ana, role: "owner" }];
  tab.answers["GET /api/v1/session"] = [200, session];
  await tab.actions.signIn({ name: "Ana", password: "correct horse" });
  assert.equal(tab.wires.all.length, 1);
  assert.deepEqual([tab.state.me, tab.state.path, tab.asked.at(-1)], [ana, "/", ["replace", "/"]]);
});

test("a wrong password is the server's refusal, word for word", async () => {
  const tab = openTab({ session: { ...session, user: null, session: null } });
  tab.answers["POST /api/v1/session"] = [401, { code: "bad_credentials", params: {}, message: "No.", request_id: "r" }];
  await assert.rejects(tab.actions.signIn({ name: "Ana", password: "x" }),
    { code: "bad_credentials", params: {}, message: "No.", request_id: "r" });
});

test("a lost connection is taken up again within a second, and what was missed is asked for", async () => {
  const tab = await reading();
  tab.wires.last.ends(1006);
  const { status: now, lostAt, retryAt } = tab.state.connection;
  assert.equal(now, "waiting");
  assert.ok(retryAt - lostAt <= 1000);
  await tab.clock.pass(1000);
  tab.wires.last.says(hello([room(lobby, { head: 4, n: 4 }), room(garden, { head: 9 })]));
  assert.deepEqual(tab.wires.last.asked("resume").map(({ room: at, after }) => [at, after]), [[lobby, 2]]);
  tab.wires.last.answers("resume", { head: 4 });
  tab.wires.last.says(posted(3, "three"), posted(4, "four"));
  await tab.clock.pass(20);
  assert.deepEqual(texts(tab), ["one", "two", "three", "four"]);
  assert.deepEqual([tab.state.connection.lostAt, tab.state.timelines.get(lobby).gap], [null, null]);
  assert.equal(tab.state.rooms.get(garden).room.head, 9);
});

test("a server that stays away is asked less and less often, at most every half minute", async () => {
  const tab = await connected();
  tab.clock.chance = 0.999;
  const waits = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    tab.wires.last.ends(1006);
    await settled();
    waits.push(tab.state.connection.retryAt - tab.clock.now());
    await tab.clock.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [999, 1998, 3996, 7992, 15984, 29970, 29970, 29970]);
});

test("a connection that held starts with a short wait again, one that did not goes on waiting longer", async () => {
  const tab = await connected();
  tab.clock.chance = 0.999;
  const wait = async () => {
    tab.wires.last.ends(1013);
    const ms = tab.state.connection.retryAt - tab.clock.now();
    await tab.clock.pass(ms);
    tab.wires.last.says(hello([room()]));
    return ms;
  };
  assert.deepEqual([await wait(), await wait()], [999, 1998]);
  await tab.clock.pass(11_000);
  assert.equal(await wait(), 999);
});

test("trying now does not wait", async () => {
  const tab = await connected();
  tab.wires.last.ends(1006);
  tab.actions.reconnectNow();
  assert.deepEqual([tab.wires.all.length, status(tab), tab.state.connection.retryAt], [2, "connecting", null]);
});

test("two silent beats mean the connection is dead, one does not", async () => {
  const tab = await connected();
  await tab.clock.pass(49_000);
  assert.equal(status(tab), "open");
  await tab.clock.pass(1_000);
  assert.equal(status(tab), "waiting");
  assert.ok(tab.wires.all[0].closed);
});

test("a beat in time keeps the connection", async () => {
  const tab = await connected();
  for (let beats = 0; beats < 8; beats += 1) {
    await tab.clock.pass(25_000);
    tab.wires.last.says({ type: "beat", heads: {} });
  }
  assert.deepEqual([tab.wires.all.length, status(tab)], [1, "open"]);
});

test("a server that beats but does not answer is left", async () => {
  const tab = await connected();
  const asking = assert.rejects(tab.actions.ask({ type: "list_rooms" }), { code: "unknown" });
  for (let beats = 0; beats < 2; beats += 1) {
    await tab.clock.pass(25_000);
    tab.wires.last.says({ type: "beat", heads: {} });
  }
  await asking;
  assert.equal(status(tab), "waiting");
});

test("a hello that does not come is not waited for", async () => {
  const tab = openTab();
  await tab.clock.pass(15_000);
  assert.equal(status(tab), "waiting");
});

test("waking from a long sleep reconnects at once", async () => {
  const tab = await reading();
  tab.clock.sleepThrough(3_600_000);
  tab.client.wake();
  assert.equal(status(tab), "waiting");
  await tab.clock.pass(1000);
  assert.equal(tab.wires.all.length, 2);
});

test("waking while waiting does not wait", async () => {
  const tab = await connected();
  tab.wires.last.ends(1006);
  tab.client.wake();
  assert.equal(status(tab), "connecting");
});

test("waking after a short silence asks whether the server still hears", async () => {
  const tab = await reading();
  await tab.clock.pass(10_000);
  tab.client.wake();
  assert.equal(tab.wires.last.asked("resume").length, 1);
  tab.wires.last.answers("resume", { head: 2 });
  await tab.clock.pass(5_000);
  assert.equal(status(tab), "open");
  await tab.clock.pass(10_000);
  tab.client.wake();
  await tab.clock.pass(4_000);
  assert.equal(status(tab), "waiting");
});

test("a hole asks once for what is missing, however much comes after it", async () => {
  const tab = await reading();
  tab.wires.last.says(posted(5, "five"), posted(6, "six"), posted(7, "seven"));
  assert.deepEqual(tab.wires.last.asked("resume").map(({ after }) => after), [2]);
  tab.wires.last.answers("resume", { head: 7 });
  tab.wires.last.says(...[3, 4, 5, 6, 7].map((seq) => posted(seq, `m${seq}`)));
  await tab.clock.pass(20);
  assert.deepEqual(texts(tab), ["one", "two", "m3", "m4", "m5", "m6", "m7"]);
});

test("a beat with a head that does not come asks for it, one that comes late does not", async () => {
  const tab = await reading();
  tab.wires.last.says({ type: "beat", heads: { [lobby]: 3 } });
  tab.wires.last.says(posted(3, "three"));
  await tab.clock.pass(1000);
  assert.equal(tab.wires.last.asked("resume").length, 0);
  tab.wires.last.says({ type: "beat", heads: { [lobby]: 5 } });
  await tab.clock.pass(1000);
  assert.deepEqual(tab.wires.last.asked("resume").map(({ after }) => after), [3]);
});

test("a beat notices lost events of a room that was never opened", async () => {
  const tab = await connected([room(garden, { head: 7, n: 5, read: { seq: 7, n: 5 } })]);
  tab.wires.last.says({ type: "beat", heads: { [garden]: 8 } });
  await tab.clock.pass(1000);
  assert.deepEqual(tab.wires.last.asked("resume").map(({ room: at, after }) => [at, after]), [[garden, 7]]);
  tab.wires.last.says(posted(8, "psst", { room: garden, n: 6 }));
  await tab.clock.pass(20);
  const { room: { head, n }, gap } = tab.state.rooms.get(garden);
  assert.deepEqual([head, n, gap], [8, 6, null]);
});

test("a beat of a room that this client was never told of makes it ask for its rooms", async () => {
  const tab = await connected();
  tab.wires.last.says({ type: "beat", heads: { [garden]: 3 } });
  await tab.clock.pass(1000);
  tab.wires.last.answers("list_rooms", { mine: [room(), room(garden, { head: 3 })], open: [] });
  await settled();
  assert.deepEqual([...tab.state.rooms.keys()], [garden, lobby]);
});

test("lagged is answered with the place to go on from, each time", async () => {
  const tab = await reading();
  tab.wires.last.says({ type: "lagged", room: lobby });
  tab.wires.last.says({ type: "lagged", room: lobby });
  assert.deepEqual(tab.wires.last.asked("resume").map(({ after }) => after), [2, 2]);
});

test("a resume that the server is too busy for is asked again when it said", async () => {
  const tab = await reading();
  tab.wires.last.says(posted(9, "nine"));
  tab.wires.last.refuses("resume", "overloaded", { retry_after_ms: 500 });
  await tab.clock.pass(499);
  assert.equal(tab.wires.last.asked("resume").length, 1);
  await tab.clock.pass(1);
  assert.equal(tab.wires.last.asked("resume").length, 2);
});

test("too much missed: the reset replaces the window and the stream goes on", async () => {
  const tab = await reading();
  tab.wires.last.says({ type: "reset", room: lobby, as_of: 5000, messages: [message(5000, "news")], more: true });
  tab.wires.last.says(posted(5001, "more news"));
  await tab.clock.pass(20);
  assert.deepEqual(texts(tab), ["news", "more news"]);
  assert.equal(tab.state.timelines.get(lobby).moreBefore, true);
  assert.equal(tab.state.rooms.get(lobby).room.n, 5001);
});

for (const [why, greeting] of [
  ["another life of the database", hello([room(lobby, { head: 1 })], { epoch: "e2" })],
  ["a head behind what was seen", hello([room(lobby, { head: 1 })])],
]) {
  test(`${why} means to forget the room and load it anew`, async () => {
    const tab = await reading();
    tab.wires.last.ends(1012);
    await tab.clock.pass(2000);
    tab.wires.last.says(greeting);
    await settled();
    assert.deepEqual(tab.wires.last.asked("resume"), []);
    tab.wires.last.answers("list_messages", page(1, [message(1, "restored")]));
    await settled();
    assert.deepEqual(texts(tab), ["restored"]);
  });
}

test("when the session has ended the client stays away, and says so", async () => {
  const tab = await reading();
  tab.answers["GET /api/v1/session"] = [200, { ...session, user: null, session: null }];
  tab.wires.last.says({ type: "session_ended" });
  tab.wires.last.ends(4401);
  await tab.clock.pass(120_000);
  assert.equal(tab.wires.all.length, 1);
  assert.deepEqual([tab.state.connection.ended, tab.state.session.user, tab.state.me], ["session_ended", null, ana]);
});

test("signing in again as the same person goes on where it was", async () => {
  const tab = await reading();
  tab.wires.last.ends(4401);
  await settled();
  tab.answers["POST /api/v1/session"] = [200, { user: ana, role: "owner" }];
  await tab.actions.signIn({ name: "Ana", password: "correct horse" });
  tab.wires.last.says(hello([room(lobby, { head: 3, n: 3 })]));
  assert.deepEqual(tab.wires.last.asked("resume").map(({ after }) => after), [2]);
  assert.deepEqual(texts(tab), ["one", "two"]);
});

test("a handshake that fails asks why, and ends when nobody is signed in any more", async () => {
  const tab = openTab();
  tab.answers["GET /api/v1/session"] = [200, { ...session, user: null, session: null }];
  tab.wires.last.ends(1006);
  await settled();
  assert.equal(tab.state.connection.ended, "session_ended");
});

test("a handshake that fails because the server is away is tried again", async () => {
  const tab = openTab();
  delete tab.answers["GET /api/v1/session"];
  tab.wires.last.ends(1006);
  await settled();
  await tab.clock.pass(1000);
  assert.equal(tab.wires.all.length, 2);
});

test("not more commands are under way than the server allows; the rest go out as answers come", async () => {
  const tab = await connected();
  for (const name of ["a", "b", "c", "d", "e", "f"]) void tab.actions.ask({ type: "list_users", name }).catch(() => {});
  assert.deepEqual(tab.wires.last.asked("list_users").map(({ name }) => name), ["a", "b", "c", "d"]);
  tab.wires.last.answers("list_users", { users: [] }, 0);
  assert.deepEqual(tab.wires.last.asked("list_users").map(({ name }) => name), ["a", "b", "c", "d", "e"]);
});

test("losing the connection refuses what was asked as unknown, and what was not as offline", async () => {
  const tab = await connected();
  const asking =
    ["a", "b", "c", "d", "e"].map((name) => tab.actions.ask({ type: "list_users", name }).catch(({ code }) => code));
  tab.wires.last.ends(1006);
  assert.deepEqual(await Promise.all(asking), ["unknown", "unknown", "unknown", "unknown", "offline"]);
  await assert.rejects(tab.actions.ask({ type: "list_users", name: "f" }), { code: "offline" });
});

test("an answer without an id is the oldest command's", async () => {
  const tab = await connected();
  const asking = tab.actions.ask({ type: "list_users", name: "a" });
  tab.wires.last.says({ type: "reply", id: null, error: { code: "bad_request", params: {}, message: "" } });
  await assert.rejects(asking, { code: "bad_request" });
});

test("creating again after a lost answer uses the same nonce, after a clear one a new one", async () => {
  const tab = await connected();
  const open = () => tab.actions.openRoom({ name: "garden", kind: "closed" });
  const lost = open();
  await settled();
  const first = tab.wires.last.asked("open_room")[0].nonce;
  tab.wires.last.ends(1006);
  await assert.rejects(lost, { code: "unknown" });
  await tab.clock.pass(1000);
  tab.wires.last.says(hello([room()]));
  const made = open();
  await settled();
  assert.equal(tab.wires.last.asked("open_room")[0].nonce, first);
  tab.wires.last.answers("open_room", room(garden, { head: 1 }));
  assert.equal((await made).id, garden);
  assert.ok(tab.state.rooms.has(garden));
  void open().catch(() => {});
  await settled();
  assert.notEqual(tab.wires.last.asked("open_room")[1].nonce, first);
});

test("a page that was asked for before the connection was lost is asked for again after it", async () => {
  const tab = await connected([room(lobby, { head: 2 })]);
  const loading = tab.actions.loadNewest(lobby);
  await settled();
  tab.wires.last.ends(1006);
  await tab.clock.pass(1000);
  tab.wires.last.says(hello([room(lobby, { head: 2 })]));
  await settled();
  tab.wires.last.answers("list_messages", page(2, [message(2, "two")]));
  await loading;
  assert.deepEqual(texts(tab), ["two"]);
});

test("a page that is refused leaves nothing behind", async () => {
  const tab = await connected([room(lobby, { head: 2 })]);
  const loading = tab.actions.loadAround(lobby, 1);
  await settled();
  tab.wires.last.refuses("list_messages", "not_found");
  await assert.rejects(loading, { code: "not_found" });
  assert.equal(tab.state.timelines.size, 0);
});

test("a page that is out of date when it comes is asked for again", async () => {
  const tab = await reading();
  const loading = tab.actions.loadAround(lobby, 1);
  await settled();
  tab.wires.last.says({ type: "reset", room: lobby, as_of: 50, messages: [message(50, "news")], more: true });
  tab.wires.last.answers("list_messages", page(2, [message(1, "removed since")]));
  await settled();
  tab.wires.last.answers("list_messages", page(50, [message(1, "", { deleted: true, rev: 9 })], { more_after: true }));
  await loading;
  assert.deepEqual(texts(tab), [""]);
});

test("two wishes for the same page are one, and pages of a room come one after another", async () => {
  const tab = await connected([room(lobby, { head: 9 })]);
  const wishes = [tab.actions.loadNewest(lobby), tab.actions.loadNewest(lobby), tab.actions.loadOlder(lobby)];
  await settled();
  assert.equal(tab.wires.last.asked("list_messages").length, 1);
  tab.wires.last.answers("list_messages", page(9, [message(8, "eight")], { more_before: true }));
  await settled();
  assert.deepEqual(tab.wires.last.asked("list_messages").map(({ before }) => before), [undefined, 8]);
  tab.wires.last.answers("list_messages", page(9, [message(2, "two")], { more_after: true }));
  await Promise.all(wishes);
  await tab.actions.loadOlder(lobby);
  assert.equal(tab.wires.last.asked("list_messages").length, 2);
});

test("another build than the page's is told, and so is another person", async () => {
  const tab = await reading();
  tab.wires.last.ends(1012);
  await tab.clock.pass(2000);
  tab.wires.last.says(hello([room(garden)], { build: "b2", user: ben, role: "member" }));
  await settled();
  assert.deepEqual([tab.state.newBuild, tab.state.me, [...tab.state.rooms.keys()]], [true, ben, [garden]]);
  assert.equal(tab.state.timelines.size, 0);
});
