import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ana, ben, connected, garden, hello, lobby, message, openTab, page, posted, room, session, settled, SharedLocks,
  SharedStorage, StillClock,
} from "./world.js";

const states = (tab) => tab.state.outbox.map(({ text, state }) => [text, state]);
const sent = (tab) => tab.wires.last.asked("post_message").map(({ text }) => text);
const stored = (tab) => tab.storage.keys().filter((key) => key.startsWith("roomful:outbox:"));

/** Lets the tab come back after its connection was lost. */
async function back(tab, rooms = [room()]) {
  await tab.clock.pass(30_000);
  tab.wires.last.says(hello(rooms));
  await settled();
}

test("a message is on disk before it is on the wire, and gone from there when it has its place", async () => {
  const tab = await connected();
  let onWire = null;
  const { send } = tab.wires.last;
  tab.wires.last.send = function spy(text) {
    onWire ??= stored(tab).length;
    send.call(this, text);
  };
  const nonce = tab.actions.post(lobby, "hi");
  assert.equal(onWire, 1);
  assert.deepEqual(states(tab), [["hi", "sending"]]);
  tab.wires.last.answers("post_message", { seq: 1, n: 1, at: 5, nonce });
  await settled();
  assert.deepEqual([states(tab), stored(tab)], [[], []]);
  assert.deepEqual(tab.state.rooms.get(lobby).room.read, { seq: 1, n: 1 });
});

test("the own event is as good as the reply, somebody else's with the same nonce is not", async () => {
  const tab = await connected();
  const nonce = tab.actions.post(lobby, "hi");
  tab.wires.last.says(posted(1, "other", { nonce }));
  await tab.clock.pass(20);
  assert.equal(tab.state.outbox.length, 1);
  tab.wires.last.says(posted(2, "hi", { by: ana, nonce }));
  await tab.clock.pass(20);
  assert.deepEqual([tab.state.outbox, stored(tab)], [[], []]);
});

test("what is written without a connection waits, and goes out once, in order, when there is one", async () => {
  const tab = await connected();
  tab.wires.last.ends(1006);
  for (const text of ["one", "two", "three"]) tab.actions.post(lobby, text);
  assert.deepEqual(states(tab), [["one", "waiting"], ["two", "waiting"], ["three", "waiting"]]);
  await back(tab);
  for (const [at, text] of ["one", "two", "three"].entries()) {
    assert.equal(sent(tab).at(-1), text);
    const { nonce } = tab.wires.last.asked("post_message").at(-1);
    tab.wires.last.answers("post_message", { seq: at + 1, n: at + 1, at: 0, nonce });
    await settled();
  }
  assert.deepEqual([sent(tab), states(tab)], [["one", "two", "three"], []]);
});

test("a lost answer leaves the message unsure, and it goes out again under the same nonce", async () => {
  const tab = await connected();
  const nonce = tab.actions.post(lobby, "hi");
  tab.wires.last.ends(1006);
  await settled();
  assert.deepEqual(states(tab), [["hi", "unsure"]]);
  await back(tab);
  assert.deepEqual(tab.wires.last.asked("post_message").map((one) => one.nonce), [nonce]);
});

test("a message whose answer was lost is not sent again once the stream has told it", async () => {
  const tab = await connected();
  const loading = tab.actions.loadNewest(lobby);
  await settled();
  tab.wires.last.answers("list_messages", page(0, []));
  await loading;
  const nonce = tab.actions.post(lobby, "hi");
  tab.wires.last.ends(1006);
  await tab.clock.pass(1000);
  tab.wires.last.says(hello([room(lobby, { head: 1, n: 1 })]));
  tab.wires.last.says(posted(1, "hi", { by: ana, nonce }));
  await tab.clock.pass(20);
  tab.wires.last.answers("post_message", { seq: 1, n: 1, at: 0, nonce });
  await settled();
  assert.deepEqual(tab.state.timelines.get(lobby).messages.map(({ text }) => text), ["hi"]);
  assert.deepEqual(states(tab), []);
});

for (const code of ["overloaded", "slow_down", "rate_limited"]) {
  test(`${code}: the message goes out again when the server said, and the next one does not overtake`, async () => {
    const tab = await connected();
    tab.clock.chance = 0;
    tab.actions.post(lobby, "first");
    tab.actions.post(lobby, "second");
    tab.actions.post(garden, "elsewhere");
    const [first] = tab.wires.last.asked("post_message");
    tab.wires.last.says({ type: "reply", id: first.id, error: { code, params: {}, message: "", retry_after_ms: 800 } });
    await tab.clock.pass(799);
    assert.deepEqual(sent(tab), ["first", "elsewhere"]);
    await tab.clock.pass(1);
    assert.deepEqual(sent(tab), ["first", "elsewhere", "first"]);
    assert.equal(tab.wires.last.asked("post_message").at(-1).nonce, first.nonce);
  });
}

test("an outcome that the server does not know stays unsure while it is asked again", async () => {
  const tab = await connected();
  tab.actions.post(lobby, "hi");
  tab.wires.last.refuses("post_message", "unknown");
  await settled();
  assert.deepEqual(states(tab), [["hi", "unsure"]]);
  await tab.clock.pass(1000);
  assert.deepEqual(sent(tab), ["hi", "hi"]);
});

test("a refusal is for the author to decide: retry keeps the nonce, discarding gives the text back", async () => {
  const tab = await connected();
  const nonce = tab.actions.post(lobby, "hi");
  tab.actions.post(lobby, "next");
  tab.wires.last.refuses("post_message", "forbidden");
  await settled();
  assert.deepEqual(states(tab), [["hi", "failed"], ["next", "sending"]]);
  tab.wires.last.answers("post_message", { seq: 1, n: 1, at: 0, nonce: tab.state.outbox[1].nonce });
  await settled();
  tab.actions.retry(nonce);
  assert.equal(tab.wires.last.asked("post_message").at(-1).nonce, nonce);
  tab.wires.last.refuses("post_message", "forbidden");
  await settled();
  assert.equal(tab.actions.discard(nonce), "hi");
  assert.deepEqual([states(tab), stored(tab), tab.actions.discard(nonce)], [[], [], ""]);
});

test("a message larger than the server reads fails here, and does not break the connection for ever", async () => {
  const tab = await connected();
  tab.actions.post(lobby, "x".repeat(70_000));
  await settled();
  assert.equal(tab.state.outbox[0].error.code, "too_large");
  assert.deepEqual(sent(tab), []);
});

for (const [how, locks] of [["with locks", new SharedLocks()], ["without locks", null]]) {
  test(`what was not answered survives a reload, under the same nonce (${how})`, async () => {
    const storage = new SharedStorage();
    const before = await connected([room()], { storage, locks });
    const nonce = before.actions.post(lobby, "sent");
    before.actions.post(lobby, "not sent");
    before.actions.setDraft(lobby, "half");
    before.close();
    const after = openTab({ storage, locks });
    await settled();
    assert.deepEqual(states(after), [["sent", "unsure"], ["not sent", "waiting"]]);
    assert.equal(after.state.drafts.get(lobby), "half");
    after.wires.last.says(hello([room()]));
    await settled();
    assert.deepEqual(after.wires.last.asked("post_message").map((one) => one.nonce), [nonce]);
  });
}

test("a failed message is still failed after a reload, with its reason", async () => {
  const storage = new SharedStorage();
  const locks = new SharedLocks();
  const before = await connected([room()], { storage, locks });
  before.actions.post(lobby, "hi");
  before.wires.last.refuses("post_message", "forbidden");
  await settled();
  before.close();
  const after = await connected([room()], { storage, locks });
  assert.deepEqual([states(after), sent(after)], [[["hi", "failed"]], []]);
  assert.equal(after.state.outbox[0].error.code, "forbidden");
});

test("a second tab leaves alone what the first one sends, and takes it over when that one is closed", async () => {
  const world = { storage: new SharedStorage(), locks: new SharedLocks(), clock: new StillClock() };
  const first = await connected([room()], world);
  const second = await connected([room()], world);
  first.wires.last.ends(1006);
  const nonce = first.actions.post(lobby, "from the first");
  await world.clock.pass(10);
  second.actions.post(lobby, "from the second");
  await settled();
  assert.deepEqual([sent(second), states(second)], [["from the second"], [["from the second", "sending"]]]);
  first.close();
  await settled();
  assert.deepEqual(states(second), [["from the first", "waiting"], ["from the second", "sending"]]);
  second.wires.last.answers("post_message", { seq: 1, n: 1, at: 0, nonce: second.state.outbox[1].nonce });
  await settled();
  assert.equal(second.wires.last.asked("post_message").at(-1).nonce, nonce);
  second.wires.last.answers("post_message", { seq: 2, n: 2, at: 0, nonce });
  await settled();
  assert.deepEqual([states(second), stored(second)], [[], []]);
});

test("without locks two tabs may send the same message, and both forget it when one is answered", async () => {
  const storage = new SharedStorage();
  const first = await connected([room()], { storage, locks: null });
  first.wires.last.ends(1006);
  const nonce = first.actions.post(lobby, "hi");
  const second = await connected([room()], { storage, locks: null });
  assert.equal(second.wires.last.asked("post_message")[0].nonce, nonce);
  second.wires.last.answers("post_message", { seq: 1, n: 1, at: 0, nonce });
  await settled();
  assert.deepEqual([states(first), states(second), stored(first)], [[], [], []]);
});

test("another person in the same browser neither sees nor sends what is not theirs, and loses none of it", async () => {
  const storage = new SharedStorage();
  const locks = new SharedLocks();
  const first = await connected([room()], { storage, locks });
  first.wires.last.ends(1006);
  first.actions.post(lobby, "Ana's");
  first.wires.last.onclose = null;
  await first.clock.pass(1000);
  first.wires.last.says(hello([room()], { user: ben, role: "member" }));
  await settled();
  assert.deepEqual([states(first), sent(first)], [[], []]);
  first.close();
  const again = await connected([room()], { storage, locks });
  assert.deepEqual(sent(again), ["Ana's"]);
});

test("signing out forgets what was not sent, and the rest of the person", async () => {
  const tab = await connected();
  tab.wires.last.ends(1006);
  tab.actions.post(lobby, "hi");
  tab.actions.setDraft(lobby, "half");
  tab.answers["DELETE /api/v1/session"] = [200, {}];
  tab.answers["GET /api/v1/session"] = [200, { ...session, user: null, session: null }];
  await tab.actions.signOut();
  assert.deepEqual(tab.storage.keys(), []);
  const { me, outbox, rooms, connection } = tab.state;
  assert.deepEqual([me, outbox, rooms.size, connection.status], [null, [], 0, "idle"]);
  await tab.clock.pass(120_000);
  assert.equal(tab.wires.all.length, 1);
});

test("a draft is each room's own, and posting empties it", async () => {
  const tab = await connected([room(), room(garden)]);
  tab.actions.setDraft(lobby, "dear all");
  tab.actions.setDraft(garden, "psst");
  tab.actions.post(lobby, "dear all");
  assert.deepEqual([...tab.state.drafts], [[garden, "psst"]]);
  assert.deepEqual(tab.storage.keys().filter((key) => key.startsWith("roomful:draft:")).length, 1);
});

/** A tab that shows messages 1 … 9 of the lobby, none of them read. */
async function unreadLobby() {
  const tab = await connected([room(lobby, { head: 9, n: 9 })]);
  const loading = tab.actions.loadNewest(lobby);
  await settled();
  tab.wires.last.answers("list_messages", page(9, [1, 2, 3, 4, 5, 6, 7, 8, 9].map((seq) => message(seq, `m${seq}`))));
  await loading;
  return tab;
}

const marks = (tab) => tab.wires.last.asked("mark_read").map(({ seq }) => seq);

test("reading shows at once and is told at most every two seconds, the furthest place last", async () => {
  const tab = await unreadLobby();
  for (const seq of [2, 3, 5, 4]) tab.actions.markRead(lobby, seq);
  assert.deepEqual([tab.state.rooms.get(lobby).room.read, marks(tab)], [{ seq: 5, n: 5 }, [2]]);
  await tab.clock.pass(1999);
  assert.deepEqual(marks(tab), [2]);
  await tab.clock.pass(1);
  assert.deepEqual(marks(tab), [2, 5]);
});

test("a reader who asks for the end is told to have read it at once, though it was noted a moment before", async () => {
  const tab = await unreadLobby();
  for (const seq of [2, 9]) tab.actions.markRead(lobby, seq);
  tab.actions.markRead(lobby, 9, true);
  assert.deepEqual(marks(tab), [2, 9]);
});

test("a page that is left tells at once how far it was read", async () => {
  const tab = await unreadLobby();
  for (const seq of [2, 9]) tab.actions.markRead(lobby, seq);
  tab.client.rest();
  assert.deepEqual(marks(tab), [2, 9]);
});

test("a read mark that could not be told is told after the reconnect, and hello does not take it back", async () => {
  const tab = await unreadLobby();
  tab.actions.markRead(lobby, 7);
  tab.wires.last.ends(1006);
  await back(tab, [room(lobby, { head: 9, n: 9 })]);
  assert.deepEqual([tab.state.rooms.get(lobby).room.read, marks(tab)], [{ seq: 7, n: 7 }, [7]]);
});
