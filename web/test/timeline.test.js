import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { withDraft, withRefusal } from "../state/outbox.js";
import { joined } from "../state/rooms.js";
import { apply, initial, loading, paged, posted as withReply, withOutbox } from "../state/store.js";
import { decode } from "../net/socket.js";
import { ana, lobby, message, page, posted, room, session } from "./world.js";

const folder = new URL("../../crates/protocol/fixtures/timelines/", import.meta.url);

/** @param {any} scenario */
function beginning({ me, start }, at) {
  const state = initial({ ...session, user: { ...ana, id: me } }, "/");
  return loading(joined(state, room(at, { head: start.last })), at, "newest");
}

/** What one step of a scenario makes of the state. */
function stepped(state, step, at) {
  if (step.event) return apply(state, decode(JSON.stringify(step.event)));
  if (step.reset) return apply(state, { type: "reset", ...step.reset });
  if (step.page) return paged(state, at, step.page.request, step.page.page);
  if (step.pending) return withOutbox(state, withDraft(state.outbox, { room: at, at: 0, ...step.pending }));
  if (step.failed) return withOutbox(state, withRefusal(state.outbox, step.failed.nonce, step.failed.error));
  const pending = state.outbox.find(({ nonce }) => nonce === step.posted.nonce) ?? { room: at, text: "" };
  return withReply(state, pending, step.posted);
}

function rows(state, at) {
  const real = state.timelines.get(at).messages.map(({ seq, text, rev, deleted, edited_at, reactions }) => ({
    ...{ seq, text, rev, deleted: deleted === true, edited: edited_at !== undefined },
    ...reactions?.length && { reactions: reactions.map(({ emoji, count }) => [emoji, count]) },
  }));
  const pending = state.outbox.filter((one) => one.room === at).map(({ nonce, text, state: how }) =>
    ({ nonce, text, state: how }));
  return [...real, ...pending];
}

for (const file of readdirSync(folder).sort()) {
  const scenario = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
  test(`timeline: ${scenario.name}`, () => {
    const told = scenario.steps.flatMap(({ event, reset }) => event?.room ?? reset?.room ?? [])[0] ?? lobby;
    const end = scenario.steps.reduce((state, step) => stepped(state, step, told), beginning(scenario, told));
    const { last, gap } = end.timelines.get(told);
    assert.deepEqual({ last, gap, list: rows(end, told) }, scenario.expect);
  });
}

/** A state in which the lobby's window is `page`. */
function showing(first, head = first.as_of) {
  return paged(loading(joined(initial(session, "/"), room(lobby, { head })), lobby, "newest"), lobby, "newest", first);
}

const seqs = (state) => state.timelines.get(lobby).messages.map(({ seq }) => seq);

test("an older page that was asked for before a reset is dropped", () => {
  const shown = showing(page(9, [message(8, "a"), message(9, "b")], { more_before: true }));
  const reset = apply(shown, { type: "reset", room: lobby, as_of: 3000, messages: [message(2999, "c")], more: true });
  const after = paged(reset, lobby, "older", page(9, [message(7, "old")]), 8);
  assert.deepEqual(seqs(after), [2999]);
  assert.equal(after.timelines.get(lobby).loading, null);
});

test("the first page takes its place although events without rows have passed meanwhile", () => {
  const waiting = loading(joined(initial(session, "/"), room(lobby, { head: 6 })), lobby, "newest");
  const joining = { type: "member_joined", room: lobby, seq: 7, at: 0, by: ana, user: ana, role: "member" };
  const passed = apply(waiting, joining);
  const shown = paged(passed, lobby, "newest", page(6, [message(6, "six")], { more_before: true }));
  assert.deepEqual(seqs(shown), [6]);
  assert.equal(shown.timelines.get(lobby).last, 7);
});

test("a page from before what was skipped is dropped, for it may hold text that was removed since", () => {
  const shown = showing(page(2, [message(1, "a"), message(2, "b")]));
  const newest = page(60, [message(59, "y"), message(60, "x")], { more_before: true });
  const jumped = paged(apply(shown, posted(60, "x")), lobby, "newest", newest);
  const after = paged(jumped, lobby, "older", page(30, [message(20, "removed at 40")]), 59);
  assert.deepEqual([seqs(after), after.timelines.get(lobby).loading], [[59, 60], null]);
});

test("a newest page far ahead of a gap closes it without waiting for the stream", () => {
  const shown = showing(page(2, [message(1, "a"), message(2, "b")]));
  const gap = apply(shown, posted(60, "x"));
  assert.deepEqual(gap.timelines.get(lobby).gap, { after: 2 });
  const after = paged(gap, lobby, "newest", page(60, [message(59, "y"), message(60, "x")], { more_before: true }));
  const { last, gap: left, moreBefore } = after.timelines.get(lobby);
  assert.deepEqual([last, left, moreBefore, seqs(after)], [60, null, true, [59, 60]]);
});

test("a newest page that meets the window does not skip the edits between", () => {
  const shown = showing(page(9, [message(5, "five"), message(9, "nine")], { more_before: true }));
  const newest = page(12, [message(9, "nine"), message(12, "twelve")], { more_before: true });
  const met = paged(shown, lobby, "newest", newest);
  assert.equal(met.timelines.get(lobby).last, 9);
  const edited = apply(met, {
    type: "message_edited", room: lobby, seq: 10, at: 0, by: ana, target: 5, text: "five!", rev: 10, edited_at: 1,
  });
  assert.equal(edited.timelines.get(lobby).messages[0].text, "five!");
});

test("a message known from its reply stands there before its event, and once", () => {
  const shown = showing(page(1, [message(1, "one")]));
  const written = withOutbox(shown, withDraft([], { nonce: "mine", room: lobby, text: "hi", at: 0 }));
  const answered = withReply(written, written.outbox[0], { seq: 3, n: 3, at: 5, nonce: "mine" });
  assert.deepEqual(seqs(answered), [1, 3]);
  assert.deepEqual(answered.outbox, []);
  const told = apply(apply(answered, posted(2, "two")), posted(3, "hi", { by: ana, nonce: "mine" }));
  assert.deepEqual(seqs(told), [1, 2, 3]);
});

test("a window does not grow without end, and says that there is more", () => {
  let state = showing(page(0, []));
  for (let seq = 1; seq <= 2001; seq += 1) state = apply(state, posted(seq, "x"));
  const { messages, moreBefore, since } = state.timelines.get(lobby);
  assert.deepEqual({ first: messages[0].seq, moreBefore, since }, { first: 502, moreBefore: true, since: 501 });
});

test("what has not changed stays the same object", () => {
  const shown = showing(page(2, [message(1, "a"), message(2, "b")]));
  const again = paged(shown, lobby, "newest", page(2, [message(1, "a"), message(2, "b")]));
  const grown = apply(shown, posted(3, "c"));
  assert.equal(grown.timelines.get(lobby).messages[0], shown.timelines.get(lobby).messages[0]);
  assert.equal(apply(shown, posted(2, "b")).timelines, shown.timelines);
  assert.deepEqual(seqs(again), [1, 2]);
});
