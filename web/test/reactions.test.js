import assert from "node:assert/strict";
import { test } from "node:test";

import { joined } from "../state/rooms.js";
import { apply, initial, loading, paged } from "../state/store.js";
import { ana, ben, connected, lobby, message, page, posted, room, session, settled } from "./world.js";

const thumb = "👍";

/** The event of a reaction to the message with `seq` 1. */
function reacted(seq, on, count, more = {}) {
  return { type: "message_reacted", room: lobby, seq, at: 0, by: ben, target: 1, emoji: thumb, on, count, ...more };
}

/** A reaction as pages show it. */
function shown(count, mine, users, emoji = thumb) {
  return { emoji, count, mine, users };
}

/** A state in which the lobby's window is `first`. */
function showing(first, head = first.as_of) {
  const state = loading(joined(initial(session, "/"), room(lobby, { head })), lobby, "newest");
  return paged(state, lobby, "newest", first);
}

const reactionsOf = (state, seq = 1) =>
  state.timelines.get(lobby).messages.find((one) => one.seq === seq)?.reactions;

test("a reaction is told with how many people use it, and the last one to take it back takes it away", () => {
  const none = showing(page(1, [message(1, "tea?")]));
  assert.equal(reactionsOf(none), undefined);
  const one = apply(none, reacted(2, true, 1));
  assert.deepEqual(reactionsOf(one), [shown(1, false, [ben])]);
  const two = apply(one, reacted(3, true, 2, { by: ana }));
  assert.deepEqual(reactionsOf(two), [shown(2, true, [ben, ana])]);
  const back = apply(two, reacted(4, false, 1));
  assert.deepEqual(reactionsOf(back), [shown(1, true, [ana])]);
  assert.equal(reactionsOf(apply(back, reacted(5, false, 0, { by: ana }))), undefined);
});

test("emoji stand in the order of their first use, and three people are named", () => {
  let state = showing(page(1, [message(1, "tea?")]));
  state = apply(state, reacted(2, true, 1, { emoji: "🎉" }));
  for (let seq = 3; seq <= 7; seq += 1) {
    state = apply(state, reacted(seq, true, seq - 2, { by: { id: `u${seq}`, name: `U${seq}` } }));
  }
  const [party, thumbs] = reactionsOf(state);
  assert.deepEqual([party.emoji, thumbs.emoji, thumbs.count], ["🎉", thumb, 5]);
  assert.deepEqual(thumbs.users.map(({ name }) => name), ["U3", "U4", "U5"]);
});

test("an event that a page has counted already changes nothing", () => {
  // An older page may be ahead of the stream: here by the events 4 and 5.
  const older = paged(showing(page(3, [message(3, "now")], { more_before: true })), lobby, "older",
    page(5, [message(1, "tea?", { reactions: [shown(2, false, [ben, ana])] })]), 3);
  const again = apply(apply(older, reacted(4, true, 1)), reacted(5, true, 2, { by: ana }));
  assert.deepEqual(reactionsOf(again), [shown(2, false, [ben, ana])]);
  assert.deepEqual(reactionsOf(apply(again, reacted(6, false, 1))), [shown(1, false, [ana])]);
});

test("a page that was read before a reaction does not take it away", () => {
  const waiting = showing(page(3, [message(3, "now")], { more_before: true }));
  const passed = apply(waiting, reacted(4, true, 1));
  const filled = paged(passed, lobby, "older", page(3, [message(1, "tea?")]), 3);
  assert.deepEqual(reactionsOf(filled), [shown(1, false, [ben])]);
});

test("of two versions of a message the text goes by its rev and the reactions by what is known further", () => {
  const first = showing(page(2, [message(1, "tea?"), message(2, "yes")]));
  const edited = apply(first, {
    type: "message_edited", room: lobby, seq: 3, at: 0, by: ben, target: 1, text: "tea!", rev: 3, edited_at: 9,
  });
  const told = apply(edited, reacted(4, true, 1));
  assert.equal(told.timelines.get(lobby).messages[0].text, "tea!");
  // Somebody else reads a page that knows of another reaction, and of the text as it was.
  const again = paged(told, lobby, "newest", page(5, [
    message(1, "tea?", { reactions: [shown(2, true, [ben, ana])] }), message(2, "yes"),
  ]));
  const [tea] = again.timelines.get(lobby).messages;
  assert.deepEqual([tea.text, tea.edited_at, tea.reactions], ["tea!", 9, [shown(2, true, [ben, ana])]]);
});

test("a deletion takes the reactions with it, for a page that was read before it too", () => {
  const reactions = [shown(1, false, [ben])];
  const first = showing(page(2, [message(1, "tea?", { reactions }), message(2, "yes")]));
  const gone = apply(first, { type: "message_deleted", room: lobby, seq: 3, at: 0, by: ben, target: 1, rev: 3 });
  assert.equal(reactionsOf(gone), undefined);
  const again = paged(gone, lobby, "newest", page(2, [message(1, "tea?", { reactions }), message(2, "yes")]));
  assert.equal(reactionsOf(again), undefined);
  assert.equal(again.timelines.get(lobby).messages[0].deleted, true);
});

test("a reset brings its own reactions, and what follows it goes on from there", () => {
  const before = showing(page(1, [message(1, "tea?")]));
  const reset = apply(before, {
    type: "reset", room: lobby, as_of: 9, more: false,
    messages: [message(1, "tea?", { reactions: [shown(1, false, [ben])] })],
  });
  assert.deepEqual(reactionsOf(reset), [shown(1, false, [ben])]);
  assert.deepEqual(reactionsOf(apply(reset, reacted(10, true, 2, { by: ana }))), [shown(2, true, [ben, ana])]);
});

/** A tab that shows a message of Ben's, to which Ben reacted. */
async function reading() {
  const tab = await connected([room(lobby, { head: 2 })]);
  const load = tab.actions.loadNewest(lobby);
  await settled();
  tab.wires.last.answers("list_messages",
    page(2, [message(1, "tea?", { reactions: [shown(1, false, [ben])] }), message(2, "yes")]));
  await load;
  const react = (on, emoji = thumb) => tab.actions.ask({ type: "react", room: lobby, seq: 1, emoji, on });
  return { tab, react };
}

test("my reaction shows before the server has answered, and once when it has", async () => {
  const { tab, react } = await reading();
  const done = react(true);
  assert.deepEqual(reactionsOf(tab.state), [shown(2, true, [ben, ana])]);
  tab.wires.last.says(reacted(3, true, 2, { by: ana }));
  await tab.clock.pass(100);
  assert.deepEqual(reactionsOf(tab.state), [shown(2, true, [ben, ana])]);
  tab.wires.last.answers("react", shown(2, true, [ben, ana]));
  assert.equal((await done).count, 2);
  await tab.clock.pass(5_000);
  assert.deepEqual(reactionsOf(tab.state), [shown(2, true, [ben, ana])]);
});

test("an answer that overtakes its event does not take the reaction off the screen", async () => {
  const { tab, react } = await reading();
  const done = react(true);
  tab.wires.last.answers("react", shown(2, true, [ben, ana]));
  await done;
  assert.deepEqual(reactionsOf(tab.state), [shown(2, true, [ben, ana])]);
  tab.wires.last.says(reacted(3, true, 2, { by: ana }));
  await tab.clock.pass(5_000);
  assert.deepEqual(reactionsOf(tab.state), [shown(2, true, [ben, ana])]);
});

test("a reaction that the server refuses goes again, and so does one without a connection", async () => {
  const { tab, react } = await reading();
  const refused = assert.rejects(react(true, "🎉"), { code: "forbidden" });
  assert.equal(reactionsOf(tab.state).length, 2);
  tab.wires.last.refuses("react", "forbidden");
  await refused;
  assert.deepEqual(reactionsOf(tab.state), [shown(1, false, [ben])]);
  tab.wires.last.ends(1006);
  await assert.rejects(react(true), { code: "offline" });
  assert.deepEqual(reactionsOf(tab.state), [shown(1, false, [ben])]);
});

test("pressed twice before any answer, it is as before", async () => {
  const { tab, react } = await reading();
  const both = [react(true), react(false)];
  assert.deepEqual(reactionsOf(tab.state), [shown(1, false, [ben])]);
  tab.wires.last.says(reacted(3, true, 2, { by: ana }), reacted(4, false, 1, { by: ana }));
  tab.wires.last.answers("react", shown(2, true, [ben, ana]), 0);
  tab.wires.last.answers("react", shown(1, false, [ben]), 1);
  await Promise.all(both);
  await tab.clock.pass(5_000);
  assert.deepEqual(reactionsOf(tab.state), [shown(1, false, [ben])]);
});

test("a message that was posted meanwhile takes reactions too", async () => {
  const { tab } = await reading();
  tab.wires.last.says(posted(3, "cake"), reacted(4, true, 1, { target: 3 }));
  await tab.clock.pass(100);
  assert.deepEqual(reactionsOf(tab.state, 3), [shown(1, false, [ben])]);
});
