// @ts-check
/**
 * What I wrote and the server has not confirmed: my pending messages, and drafts. Kept over reloads in a storage that
 * is passed in (localStorage in the browser), under keys that name the user, one key for each message: several tabs
 * share the storage, and never write the same key. Pure but for that storage.
 *
 * @import { Nonce, Refusal, RoomId, UserId } from "../types/protocol.d.ts"
 * @import { Pending } from "../types/state.d.ts"
 */

/**
 * What of localStorage is used.
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Shelf
 */

/**
 * A pending message as it lies in the storage, with the tab that sends it.
 * @typedef {{ room: RoomId, text: string, at: number, tab: string, sent: boolean, error: Refusal | null }} Kept
 */

/** Refusals after which the same message may go through a moment later. */
const PASSING = new Set(["unknown", "overloaded", "slow_down", "rate_limited", "offline", "unauthenticated"]);

/**
 * Makes nonces: UUIDv7, each greater than the one before it, so that they sort in the order of writing.
 * @param {(bytes: Uint8Array<ArrayBuffer>) => void} fill fills with randomness
 * @returns {(now: number) => Nonce}
 */
export function nonces(fill) {
  let latest = 0;
  return (now) => {
    latest = Math.max(now, latest + 1);
    const bytes = new Uint8Array(16);
    fill(bytes);
    new DataView(bytes.buffer).setUint16(0, Math.floor(latest / 2 ** 32));
    new DataView(bytes.buffer).setUint32(2, latest % 2 ** 32);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  };
}

/**
 * The outbox with one more message, or with it anew when the nonce is known.
 * @param {Pending[]} outbox
 * @param {Pick<Pending, "nonce" | "room" | "text" | "at">} draft
 * @returns {Pending[]}
 */
export function withDraft(outbox, { nonce, room, text, at }) {
  const known = outbox.some((pending) => pending.nonce === nonce);
  // Half a surrogate pair is not Unicode: the server could not read the command, nor say which one it was.
  const whole = text.toWellFormed?.() ?? text;
  if (known) return withRetry(outbox, nonce);
  return [...outbox, { nonce, room, text: whole, at, state: "waiting", error: null }];
}

/**
 * @param {Pending[]} outbox
 * @param {Nonce} nonce
 */
export function withRetry(outbox, nonce) {
  return changed(outbox, nonce, (pending) =>
    pending.state === "failed" ? { ...pending, state: "waiting", error: null } : pending);
}

/**
 * The message is about to be put on the wire.
 * @param {Pending[]} outbox
 * @param {Nonce} nonce
 */
export function withSending(outbox, nonce) {
  return changed(outbox, nonce, (pending) => ({ ...pending, state: "sending", error: null }));
}

/**
 * The message was refused, or never answered (`unknown`). `before` is how it stood before it was sent this time: once
 * unsure, only an answer or a final refusal makes it sure.
 * @param {Pending[]} outbox
 * @param {Nonce} nonce
 * @param {Refusal} error
 * @param {Pending["state"]} [before]
 */
export function withRefusal(outbox, nonce, error, before) {
  return changed(outbox, nonce, (pending) => {
    if (!passes(error)) return { ...pending, state: "failed", error };
    const unsure = error.code === "unknown" || before === "unsure";
    return { ...pending, state: unsure ? "unsure" : "waiting", error: null };
  });
}

/**
 * @param {Pending[]} outbox
 * @param {(nonce: Nonce) => boolean} done which messages have a place now
 */
export function without(outbox, done) {
  return outbox.some(({ nonce }) => done(nonce)) ? outbox.filter(({ nonce }) => !done(nonce)) : outbox;
}

/**
 * Whether trying again by itself helps.
 * @param {Refusal} error
 */
export function passes(error) {
  return PASSING.has(error.code);
}

/**
 * What to send now: of each room the first message that does not stand still, unless one of that room is on the wire.
 * One at a time, because a refusal of the first must not let the second overtake it.
 * @param {Pending[]} outbox
 * @param {(room: RoomId) => boolean} held rooms that wait after a refusal
 */
export function due(outbox, held) {
  const busy = new Set(outbox.filter(({ state }) => state === "sending").map(({ room }) => room));
  return outbox.filter(({ state, room }) => {
    if (state === "failed" || busy.has(room) || held(room)) return false;
    busy.add(room);
    return true;
  });
}

/**
 * What is stored of this user, oldest first.
 * @param {Shelf} shelf
 * @param {UserId} user
 * @returns {Array<{ tab: string, pending: Pending }>}
 */
export function kept(shelf, user) {
  return entries(shelf, outboxPrefix(user)).flatMap(([nonce, text]) => {
    const found = read(text);
    if (found === null) return [];
    const { room, at, tab, sent, error } = found;
    const state = error !== null ? "failed" : sent ? "unsure" : "waiting";
    /** @type {Pending} */
    const pending = { nonce, room, text: found.text, at, state, error };
    return [{ tab, pending }];
  });
}

/**
 * Makes the storage say what `next` says. What is not in `previous` any more is deleted from it; what another tab keeps
 * there is left alone.
 * @param {Shelf} shelf
 * @param {UserId} user
 * @param {string} tab
 * @param {Pending[]} previous
 * @param {Pending[]} next
 */
export function keep(shelf, user, tab, previous, next) {
  const before = new Map(previous.map((pending) => [pending.nonce, pending]));
  for (const pending of next) {
    if (before.get(pending.nonce) !== pending) write(shelf, outboxPrefix(user) + pending.nonce, stored(pending, tab));
    before.delete(pending.nonce);
  }
  for (const nonce of before.keys()) write(shelf, outboxPrefix(user) + nonce, "");
}

/**
 * The nonce that a storage key of this user's outbox names; null for any other key.
 * @param {string} key
 * @param {UserId} user
 */
export function nonceOf(key, user) {
  return key.startsWith(outboxPrefix(user)) ? key.slice(outboxPrefix(user).length) : null;
}

/**
 * The tab that sends a stored message; null when it cannot be read.
 * @param {string} text
 */
export function tabOf(text) {
  return read(text)?.tab ?? null;
}

/**
 * @param {Shelf} shelf
 * @param {UserId} user
 * @returns {Map<RoomId, string>}
 */
export function keptDrafts(shelf, user) {
  return new Map(entries(shelf, draftPrefix(user)));
}

/**
 * @param {Shelf} shelf
 * @param {UserId} user
 * @param {RoomId} room
 * @param {string} text empty: none
 */
export function keepDraft(shelf, user, room, text) {
  write(shelf, draftPrefix(user) + room, text);
}

/**
 * Deletes everything of a user.
 * @param {Shelf} shelf
 * @param {UserId} user
 */
export function forget(shelf, user) {
  for (const prefix of [outboxPrefix(user), draftPrefix(user)]) {
    for (const [rest] of entries(shelf, prefix)) write(shelf, prefix + rest, "");
  }
}

/** @param {UserId} user */
const outboxPrefix = (user) => `roomful:outbox:${user}:`;
/** @param {UserId} user */
const draftPrefix = (user) => `roomful:draft:${user}:`;

/**
 * @param {Pending[]} outbox
 * @param {Nonce} nonce
 * @param {(pending: Pending) => Pending} change
 */
function changed(outbox, nonce, change) {
  const at = outbox.findIndex((pending) => pending.nonce === nonce);
  if (at < 0) return outbox;
  const next = change(outbox[at]);
  return next === outbox[at] ? outbox : outbox.with(at, next);
}

/**
 * @param {Pending} pending
 * @param {string} tab
 */
function stored({ room, text, at, state, error }, tab) {
  /** @type {Kept} */
  const record = { room, text, at, tab, sent: state === "sending" || state === "unsure", error };
  return JSON.stringify(record);
}

/**
 * @param {string} text
 * @returns {Kept | null}
 */
function read(text) {
  try {
    const { room, text: said, at, tab, sent, error } = JSON.parse(text);
    if (typeof room !== "string" || typeof said !== "string" || typeof tab !== "string") return null;
    return { room, text: said, at: Number(at), tab, sent: sent === true, error: error ?? null };
  } catch {
    return null;
  }
}

/**
 * What is stored under keys that begin so: the rest of the key and the value, by key.
 * @param {Shelf} shelf
 * @param {string} prefix
 * @returns {Array<[string, string]>}
 */
function entries(shelf, prefix) {
  try {
    const keys = Array.from({ length: shelf.length }, (_, index) => shelf.key(index) ?? "");
    return keys
      .filter((key) => key.startsWith(prefix))
      .sort()
      .map((key) => [key.slice(prefix.length), shelf.getItem(key) ?? ""]);
  } catch {
    return [];
  }
}

/**
 * @param {Shelf} shelf
 * @param {string} key
 * @param {string} value empty: none
 */
function write(shelf, key, value) {
  try {
    if (value === "") shelf.removeItem(key);
    else shelf.setItem(key, value);
  } catch {
    // Full, or forbidden by the browser: what was written still lives in this page, and goes out from it.
  }
}
