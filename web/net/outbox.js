// @ts-check
/**
 * What goes out by itself when there is a connection: my messages and my read marks.
 *
 * @import { Command, Nonce, Refusal, RoomId } from "../types/protocol.d.ts"
 * @import { Pending, State } from "../types/state.d.ts"
 * @import { Shelf } from "../state/outbox.js"
 * @import { Clock } from "./socket.js"
 *
 * @typedef {{
 *   state(): State,
 *   change(next: State): void,
 *   send(command: Command): Promise<any>,
 *   connected(): Promise<void>,
 *   nonce(now: number): Nonce,
 *   clock: Clock,
 *   shelf: Shelf,
 *   locks: Pick<LockManager, "request"> | undefined,
 * }} Desk What the parts of the client work with: `change` puts a state in place of the present one, `send` asks
 * something over the connection, `connected` waits until there is one.
 */

import { delay } from "./socket.js";
import * as outbox from "../state/outbox.js";
import { seen } from "../state/rooms.js";
import { apply, posted, withDraftText, withOutbox } from "../state/store.js";

/**
 * Sends what I wrote: one message of a room at a time, again and again under the same nonce until it is answered, and
 * over the end of this page. Several tabs share one storage; each message belongs to one of them, and when that tab is
 * gone another takes it over.
 */
export class Outbox {
  /** @type {Desk} */
  #desk;
  /** Names this page among all that share the storage. */
  #tab;
  /** Tabs whose messages this one takes over when they are gone. @type {Set<string>} */
  #heirOf = new Set();
  /** Rooms in which posting waits after a refusal. @type {Map<RoomId, () => void>} */
  #held = new Map();
  /** @type {Map<RoomId, number>} */
  #refusals = new Map();

  /** @param {Desk} desk */
  constructor(desk) {
    this.#desk = desk;
    this.#tab = desk.nonce(desk.clock.now());
    // Held while this page lives: other tabs see by it that its messages are in good hands, or orphans.
    void desk.locks?.request(lockOf(this.#tab), () => new Promise(() => {})).catch(() => {});
  }

  /** Takes up what the present user left in the storage. */
  takeUp() {
    const { shelf, locks } = this.#desk;
    const { me } = this.#desk.state();
    if (me === null) return;
    this.#desk.change({ ...this.#desk.state(), drafts: outbox.keptDrafts(shelf, me.id) });
    for (const tab of new Set(outbox.kept(shelf, me.id).map((kept) => kept.tab))) {
      // Without locks nobody knows which tabs live. Two that send the same nonce post it once.
      if (locks === undefined) this.#adopt(tab);
      else this.#awaitEnd(tab);
    }
  }

  /**
   * Writes down what a change made of the outbox. Called before anything is sent because of that change.
   * @param {State} previous
   * @param {State} next
   */
  keep(previous, next) {
    if (next.outbox === previous.outbox || next.me === null || next.me.id !== previous.me?.id) return;
    outbox.keep(this.#desk.shelf, next.me.id, this.#tab, previous.outbox, next.outbox);
  }

  /**
   * Another tab changed the storage.
   * @param {string} key
   * @param {string | null} value
   */
  stored(key, value) {
    const { me, outbox: pendings } = this.#desk.state();
    const nonce = me && outbox.nonceOf(key, me.id);
    if (nonce === null) return;
    const tab = value === null ? null : outbox.tabOf(value);
    if (tab !== null) return this.#awaitEnd(tab);
    const known = pendings.some((pending) => pending.nonce === nonce && pending.state !== "sending");
    if (known) this.#box((now) => outbox.without(now, (one) => one === nonce));
  }

  /**
   * @param {RoomId} room
   * @param {string} text
   */
  post(room, text) {
    const at = this.#desk.clock.now();
    const nonce = this.#desk.nonce(at);
    this.#box((now) => outbox.withDraft(now, { nonce, room, text, at }));
    this.setDraft(room, "");
    this.pump();
    return nonce;
  }

  /** @param {Nonce} nonce */
  retry(nonce) {
    this.#box((now) => outbox.withRetry(now, nonce));
    this.pump();
  }

  /** @param {Nonce} nonce */
  discard(nonce) {
    const text = this.#desk.state().outbox.find((pending) => pending.nonce === nonce)?.text ?? "";
    this.#box((now) => outbox.without(now, (one) => one === nonce));
    this.pump();
    return text;
  }

  /**
   * @param {RoomId} room
   * @param {string} text
   */
  setDraft(room, text) {
    const { me } = this.#desk.state();
    if (me !== null) outbox.keepDraft(this.#desk.shelf, me.id, room, text);
    this.#desk.change(withDraftText(this.#desk.state(), room, text));
  }

  /** There is a new connection: nothing waits any longer. */
  release() {
    for (const cancel of this.#held.values()) cancel();
    this.#held.clear();
    this.pump();
  }

  /** Sends what is due. */
  pump() {
    const { connection, outbox: pendings } = this.#desk.state();
    if (connection.status !== "open") return;
    for (const pending of outbox.due(pendings, (room) => this.#held.has(room))) void this.#deliver(pending);
  }

  /**
   * Deletes what a user left in the storage.
   * @param {string} user
   */
  forget(user) {
    outbox.forget(this.#desk.shelf, user);
  }

  /** @param {(now: Pending[]) => Pending[]} change */
  #box(change) {
    const state = this.#desk.state();
    this.#desk.change(withOutbox(state, change(state.outbox)));
  }

  /** @param {Pending} pending */
  async #deliver(pending) {
    const { nonce, room, text } = pending;
    this.#box((now) => outbox.withSending(now, nonce));
    try {
      const reply = await this.#desk.send({ type: "post_message", room, text, nonce });
      this.#refusals.delete(room);
      this.#desk.change(posted(this.#desk.state(), pending, reply));
    } catch (thrown) {
      const error = /** @type {Refusal} */ (thrown);
      if (outbox.passes(error)) this.#hold(room, error);
      this.#box((now) => outbox.withRefusal(now, nonce, error, pending.state));
    }
    this.pump();
  }

  /**
   * Lets a room's messages wait a while, or until the next connection.
   * @param {RoomId} room
   * @param {Refusal} error
   */
  #hold(room, error) {
    const { state, clock } = this.#desk;
    if (state().connection.status !== "open") return;
    const refusals = (this.#refusals.get(room) ?? 0) + 1;
    this.#refusals.set(room, refusals);
    const wait = (error.retry_after_ms ?? 0) + delay(refusals, 0, "", clock.random());
    this.#held.get(room)?.();
    this.#held.set(room, clock.after(wait, () => {
      this.#held.delete(room);
      this.pump();
    }));
  }

  /**
   * Waits until a tab is gone, at once if it is, and sends what it has not.
   * @param {string} tab
   */
  #awaitEnd(tab) {
    if (tab === this.#tab || this.#heirOf.has(tab)) return;
    this.#heirOf.add(tab);
    this.#desk.locks?.request(lockOf(tab), () => this.#adopt(tab))
      .catch(() => {})
      .finally(() => this.#heirOf.delete(tab));
  }

  /** @param {string} tab */
  #adopt(tab) {
    const { me, outbox: pendings } = this.#desk.state();
    if (me === null) return;
    const mine = new Set(pendings.map(({ nonce }) => nonce));
    const orphans = outbox.kept(this.#desk.shelf, me.id)
      .filter((kept) => kept.tab === tab && !mine.has(kept.pending.nonce))
      .map((kept) => kept.pending);
    if (orphans.length === 0) return;
    this.#box((now) => [...now, ...orphans].sort((a, b) => (a.nonce < b.nonce ? -1 : 1)));
    this.pump();
  }
}

/** Tells the server how far I have read, at most every `limits.mark_read_ms`. */
export class ReadMarks {
  /** @type {Desk} */
  #desk;
  /** Not sent yet. @type {Map<RoomId, number>} */
  #marks = new Map();
  #sentAt = -Infinity;
  #waiting = false;

  /** @param {Desk} desk */
  constructor(desk) {
    this.#desk = desk;
  }

  /**
   * All up to `seq` was seen.
   * @param {RoomId} room
   * @param {number} seq
   * @param {boolean} [now] without waiting
   */
  note(room, seq, now = false) {
    const entry = this.#desk.state().rooms.get(room);
    if (entry !== undefined && seq > entry.room.read.seq) {
      this.#desk.change(seen(this.#desk.state(), room, seq));
      this.#put(room, seq);
    }
    if (now) this.flush(true);
  }

  /** @param {boolean} [now] without waiting */
  flush(now = false) {
    const { state, clock } = this.#desk;
    const { connection, limits } = state();
    if (this.#marks.size === 0 || connection.status !== "open") return;
    const wait = this.#sentAt + limits.mark_read_ms - clock.now();
    if (wait > 0 && !now) return this.#wait(wait);
    this.#sentAt = clock.now();
    const marks = [...this.#marks];
    this.#marks.clear();
    for (const [room, seq] of marks) void this.#send(room, seq);
  }

  /** Forgets what was not sent. */
  clear() {
    this.#marks.clear();
  }

  /**
   * @param {RoomId} room
   * @param {number} seq
   */
  #put(room, seq) {
    this.#marks.set(room, Math.max(seq, this.#marks.get(room) ?? 0));
    this.flush();
  }

  /** @param {number} ms */
  #wait(ms) {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#desk.clock.after(ms, () => {
      this.#waiting = false;
      this.flush();
    });
  }

  /**
   * @param {RoomId} room
   * @param {number} seq
   */
  async #send(room, seq) {
    try {
      const mark = await this.#desk.send({ type: "mark_read", room, seq });
      this.#desk.change(apply(this.#desk.state(), { type: "read_marked", room, ...mark }));
    } catch (thrown) {
      if (outbox.passes(/** @type {Refusal} */ (thrown))) this.#put(room, seq);
    }
  }
}

/** @param {string} tab */
const lockOf = (tab) => `roomful:tab:${tab}`;
