import assert from "node:assert/strict";
import { test } from "node:test";

import {
  due, forget, keep, keepDraft, kept, keptDrafts, nonces, withDraft, withRefusal, withSending,
} from "../state/outbox.js";
import { ana, ben, garden, lobby, SharedStorage } from "./world.js";

const write = (outbox, nonce, room = lobby) => withDraft(outbox, { nonce, room, text: nonce, at: 1 });
const refusal = (code) => ({ code, params: {}, message: "" });

test("nonces are UUIDv7 and sort in the order of writing, even when the clock goes back", () => {
  const nonce = nonces((bytes) => bytes.fill(255));
  const made = [nonce(5000), nonce(5000), nonce(4000), nonce(9000)];
  assert.deepEqual(made, [...made].sort());
  assert.equal(new Set(made).size, 4);
  for (const one of made) assert.match(one, /^[0-9a-f]{8}-[0-9a-f]{4}-7fff-bfff-ffffffffffff$/);
});

test("an unanswered message is unsure; a refused one waits or fails, as the refusal says", () => {
  const sent = withSending(write([], "a"), "a");
  const after = (code) => withRefusal(sent, "a", refusal(code), "waiting")[0].state;
  assert.deepEqual(["unknown", "overloaded", "slow_down", "rate_limited", "offline"].map(after),
    ["unsure", "waiting", "waiting", "waiting", "waiting"]);
  assert.deepEqual(["forbidden", "not_found", "invalid", "conflict", "too_large", "internal"].map(after),
    Array(6).fill("failed"));
});

test("once unsure, being told to wait does not make it sure", () => {
  const sent = withSending(write([], "a"), "a");
  assert.equal(withRefusal(sent, "a", refusal("overloaded"), "unsure")[0].state, "unsure");
  assert.equal(withRefusal(sent, "a", refusal("forbidden"), "unsure")[0].state, "failed");
});

test("of each room one message is on the wire at a time, the oldest first", () => {
  const outbox = ["a", "b"].reduce((so, nonce) => write(so, nonce), write([], "g", garden));
  assert.deepEqual(due(outbox, () => false).map(({ nonce }) => nonce), ["g", "a"]);
  assert.deepEqual(due(withSending(outbox, "a"), () => false).map(({ nonce }) => nonce), ["g"]);
  assert.deepEqual(due(withSending(outbox, "b"), () => false).map(({ nonce }) => nonce), ["g"]);
  assert.deepEqual(due(outbox, (room) => room === garden).map(({ nonce }) => nonce), ["a"]);
  const failed = withRefusal(outbox, "a", refusal("forbidden"), "waiting");
  assert.deepEqual(due(failed, () => false).map(({ nonce }) => nonce), ["g", "b"]);
});

test("half a character is not sent", () => {
  assert.equal(withDraft([], { nonce: "a", room: lobby, text: "x\ud83d", at: 1 })[0].text, "x\ufffd");
});

test("what is stored comes back in order, knowing whether it was ever on the wire", () => {
  const { shelf } = new SharedStorage().forTab();
  const written = ["c", "a", "b"].reduce((so, nonce) => write(so, nonce), []);
  const sent = withRefusal(withSending(written, "a"), "b", refusal("forbidden"), "waiting");
  keep(shelf, ana.id, "tab", [], sent);
  assert.deepEqual(kept(shelf, ana.id).map(({ tab, pending: { nonce, state } }) => [tab, nonce, state]),
    [["tab", "a", "unsure"], ["tab", "b", "failed"], ["tab", "c", "waiting"]]);
  assert.deepEqual(kept(shelf, ben.id), []);
});

test("keeping touches only what changed, and leaves alone what another tab keeps", () => {
  const storage = new SharedStorage();
  const [one, two] = [storage.forTab().shelf, storage.forTab().shelf];
  const a = write([], "a");
  keep(one, ana.id, "one", [], a);
  keep(two, ana.id, "two", [], write([], "b"));
  keep(one, ana.id, "one", a, []);
  assert.deepEqual(kept(one, ana.id).map(({ pending }) => pending.nonce), ["b"]);
});

test("a storage that refuses, or holds nonsense, harms nothing", () => {
  const no = () => {
    throw new Error("QuotaExceededError");
  };
  keep({ length: 0, key: no, getItem: no, setItem: no, removeItem: no }, ana.id, "tab", [], write([], "a"));
  const { shelf } = new SharedStorage().forTab();
  for (const [nonce, text] of [["a", "{"], ["b", "null"], ["c", "{}"], ["d", "7"]]) {
    shelf.setItem(`roomful:outbox:${ana.id}:${nonce}`, text);
  }
  assert.deepEqual(kept(shelf, ana.id), []);
});

test("drafts are each user's own, and forgetting a user forgets all of theirs", () => {
  const { shelf } = new SharedStorage().forTab();
  keepDraft(shelf, ana.id, lobby, "dear all");
  keepDraft(shelf, ben.id, lobby, "hm");
  keepDraft(shelf, ana.id, garden, "x");
  keepDraft(shelf, ana.id, garden, "");
  assert.deepEqual([...keptDrafts(shelf, ana.id)], [[lobby, "dear all"]]);
  keep(shelf, ana.id, "tab", [], write([], "a"));
  forget(shelf, ana.id);
  assert.equal(keptDrafts(shelf, ana.id).size + kept(shelf, ana.id).length, 0);
  assert.equal(keptDrafts(shelf, ben.id).size, 1);
});
