// @ts-check
/**
 * Puts the client together: state, wire and views meet here and nowhere else.
 *
 * @import { Command, Refusal, Room, RoomId, ServerFrame, Session } from "./types/protocol.d.ts"
 * @import { Actions, App, Noun, State } from "./types/state.d.ts"
 * @import { Door } from "./actions/account.js"
 * @import { Clock } from "./net/socket.js"
 * @import { Shelf } from "./state/outbox.js"
 * @import { Signal } from "./vendor/all.js"
 *
 * @typedef {{
 *   session: Session,
 *   path: string,
 *   url: string,
 *   clock: Clock,
 *   WebSocket: new (url: string, protocol: string) => WebSocket,
 *   fetch: typeof globalThis.fetch,
 *   shelf: Shelf,
 *   locks: Pick<LockManager, "request"> | undefined,
 *   fill(bytes: Uint8Array<ArrayBuffer>): void,
 *   go(path: string, replace: boolean): void,
 *   paint(theme: string): void,
 * }} World What the browser gives: everything that is not a pure function of the rest.
 */

import { Outbox, ReadMarks } from "./net/outbox.js";
import { Pages } from "./net/pages.js";
import { Socket } from "./net/socket.js";
import { nonces } from "./state/outbox.js";
import * as rooms from "./state/rooms.js";
import * as store from "./state/store.js";
import { hasHope } from "./state/timeline.js";
import { more, strings } from "./strings/en.js";
import { signal } from "./vendor/all.js";

/** Frames that come within this time are shown together. */
const FRAME_MS = 16;
/** A beat may overtake the events it speaks of by this much. */
const BEAT_GRACE_MS = 1_000;
/** A reply may overtake the event of what it answers by this much. */
const REPLY_GRACE_MS = 1_000;

export class Client {
  /** @type {World} */
  #world;
  /** @type {State} */
  #state;
  /** @type {Signal<State>} */
  #shown;
  #shownAt = 0;
  #showing = false;
  /** @type {Socket} */
  #socket;
  /** @type {Outbox} */
  #outbox;
  /** @type {ReadMarks} */
  #marks;
  /** @type {Pages} */
  #pages;
  #rooms;
  #account;
  /** What was asked and shows before it is answered. @type {Set<Command>} */
  #hopes = new Set();
  /** What waits for a connection. @type {Array<{ resolve(): void, reject(error: Refusal): void }>} */
  #waiting = [];

  /** @param {World} world */
  constructor(world) {
    this.#world = world;
    this.#state = store.initial(world.session, world.path);
    this.#shown = signal(this.#state);
    this.#socket = new Socket({
      url: world.url,
      WebSocket: world.WebSocket,
      clock: world.clock,
      onFrame: (frame) => this.#hear(frame),
      onChange: (connection) => this.#change(store.withConnection(this.#state, connection)),
      isSignedIn: async () => (await this.#account()).isSignedIn(),
      probe: () => this.#probe(),
    });
    const door = this.#door();
    this.#outbox = new Outbox(door);
    this.#marks = new ReadMarks(door);
    this.#pages = new Pages(door);
    this.#rooms = fetched(() => import("./actions/rooms.js").then((all) => all.rooms(door)));
    this.#account = fetched(() => import("./actions/account.js").then((all) => all.account(door)));
    if (this.#state.me !== null) this.#start();
  }

  /** What views get. @returns {App} */
  get app() {
    // Filled up by `learn`: a view that needs more texts waits for them.
    const texts = /** @type {App["strings"]} */ ({ ...strings });
    const learn = async (/** @type {Noun} */ noun) => void Object.assign(texts, await more[noun]());
    return { state: this.#shown, actions: this.#actions(), strings: texts, learn };
  }

  /** The page was shown again, or the network changed. */
  wake() {
    this.#socket.check();
  }

  /** The page may end any moment: what is held back for economy goes out now. */
  rest() {
    this.#marks.flush(true);
  }

  /**
   * Another tab changed the storage.
   * @param {string} key
   * @param {string | null} value
   */
  stored(key, value) {
    this.#outbox.stored(key, value);
  }

  /**
   * Back or Forward was pressed.
   * @param {string} path
   */
  moved(path) {
    this.#change({ ...this.#state, path });
  }

  /**
   * @param {State} next
   * @param {boolean} [together] may be shown a moment later, with what follows
   */
  #change(next, together = false) {
    const previous = this.#state;
    this.#state = next;
    // Nothing is sent before this has returned: what must survive a reload is stored by then.
    this.#outbox.keep(previous, next);
    const { clock } = this.#world;
    if (!together || clock.now() - this.#shownAt >= FRAME_MS) return this.#show();
    if (this.#showing) return;
    this.#showing = true;
    clock.after(FRAME_MS, () => this.#show());
  }

  #show() {
    this.#showing = false;
    this.#shownAt = this.#world.clock.now();
    this.#shown.value = store.hoped(this.#state, this.#hopes);
  }

  #start() {
    this.#outbox.takeUp();
    this.#socket.start();
  }

  /** @param {ServerFrame} frame */
  #hear(frame) {
    if (frame.type === "beat") return this.#beat(frame.heads);
    const before = this.#state;
    this.#change(store.apply(before, frame), frame.type !== "hello");
    if (frame.type === "hello") this.#greeted(before);
    const after = frame.type === "lagged" ? rooms.cursor(this.#state, frame.room) : null;
    if (frame.type === "lagged" && after !== null) this.#socket.resume(frame.room, after, true);
    this.#fillGaps();
  }

  /** @param {State} before */
  #greeted(before) {
    this.#fillGaps();
    if (before.me?.id !== this.#state.me?.id) this.#outbox.takeUp();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    for (const room of before.timelines.keys()) {
      const forgotten = this.#state.rooms.has(room) && !this.#state.timelines.has(room);
      if (forgotten) this.#pages.load(room, "newest").catch(() => {});
    }
    this.#marks.flush();
    this.#outbox.release();
  }

  #fillGaps() {
    for (const { room, after } of rooms.gaps(this.#state)) this.#socket.resume(room, after);
  }

  /** @param {Record<RoomId, number>} heads */
  #beat(heads) {
    this.#world.clock.after(BEAT_GRACE_MS, () => {
      this.#change(rooms.missed(this.#state, heads), true);
      this.#fillGaps();
      const unheardOf = Object.keys(heads).some((room) => !this.#state.rooms.has(room));
      if (unheardOf) this.#learnRooms().catch(() => {});
    });
  }

  /** Rooms I am in that this client was never told of. */
  async #learnRooms() {
    const { mine } = await this.#socket.send({ type: "list_rooms" });
    for (const room of /** @type {Room[]} */ (mine)) {
      if (!this.#state.rooms.has(room.id)) this.#change(rooms.joined(this.#state, room));
    }
  }

  /** @returns {Promise<void>} once there is a connection */
  #connected() {
    if (this.#state.connection.status === "open") return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** @returns {Command} */
  #probe() {
    for (const [room, { last }] of this.#state.timelines) return { type: "resume", room, after: last };
    return { type: "list_rooms" };
  }

  /** Ends everything that goes on for the present user. */
  #leave() {
    this.#socket.stop();
    /** @type {Refusal} */
    const over = { code: "unauthenticated", params: {}, message: "You are signed out." };
    for (const { reject } of this.#waiting.splice(0)) reject(over);
    this.#marks.clear();
  }

  /**
   * @param {string} path
   * @param {{ replace?: boolean }} [how]
   */
  #navigate(path, { replace = false } = {}) {
    this.#world.go(path, replace);
    this.moved(path.split(/[?#]/)[0]);
  }

  /**
   * Asks the server something, and shows what it hopes for until that has come, or was refused.
   * @param {Command} command
   */
  async #ask(command) {
    if (!hasHope(command)) return this.#socket.send(command);
    const end = () => {
      this.#hopes.delete(command);
      this.#show();
    };
    this.#hopes.add(command);
    this.#show();
    try {
      const answer = await this.#socket.send(command);
      this.#world.clock.after(REPLY_GRACE_MS, end);
      return answer;
    } catch (thrown) {
      end();
      throw thrown;
    }
  }

  /** What the parts of the client work with. @returns {Door} */
  #door() {
    const [world, socket] = [this.#world, this.#socket];
    return {
      state: () => this.#state,
      change: (next) => this.#change(next),
      send: (command) => socket.send(command),
      connected: () => this.#connected(),
      nonce: nonces(world.fill),
      clock: world.clock,
      shelf: world.shelf,
      locks: world.locks,
      fetch: world.fetch,
      connect: () => socket.start(),
      start: () => this.#start(),
      leave: () => this.#leave(),
      forget: (user) => this.#outbox.forget(user),
      navigate: (path, how) => this.#navigate(path, how),
    };
  }

  /** @returns {Actions} */
  #actions() {
    const [rooms, account] = [this.#rooms, this.#account];
    return {
      ask: (command) => this.#ask(command),
      post: (room, text) => this.#outbox.post(room, text),
      retry: (nonce) => this.#outbox.retry(nonce),
      discard: (nonce) => this.#outbox.discard(nonce),
      setDraft: (room, text) => this.#outbox.setDraft(room, text),
      markRead: (room, seq, now) => this.#marks.note(room, seq, now),
      loadNewest: (room) => this.#pages.load(room, "newest"),
      loadOlder: (room) => this.#pages.load(room, "older"),
      loadNewer: (room) => this.#pages.load(room, "newer"),
      loadAround: (room, seq) => this.#pages.load(room, "around", seq),
      reconnectNow: () => (this.#state.connection.status === "open" ? this.wake() : this.#socket.start()),
      setTheme: (theme) => this.#world.paint(theme),
      navigate: (path, how) => this.#navigate(path, how),
      openRoom: async (draft) => (await rooms()).openRoom(draft),
      joinRoom: async (room) => (await rooms()).joinRoom(room),
      leaveRoom: async (room) => (await rooms()).leaveRoom(room),
      createInvite: async (draft) => (await rooms()).createInvite(draft),
      signIn: async (draft) => (await account()).signIn(draft),
      signOut: async () => (await account()).signOut(),
      comeIn: async (draft) => (await account()).comeIn(draft),
      setUp: async (draft) => (await account()).setUp(draft),
      signUp: async (draft) => (await account()).signUp(draft),
      viewInvite: async (token) => (await account()).viewInvite(token),
      acceptInvite: async (token) => (await account()).acceptInvite(token),
    };
  }
}

/**
 * A part of the client that the first view does without: its code is fetched when it is first needed.
 * @template T
 * @param {() => Promise<T>} load
 * @returns {() => Promise<T>}
 */
function fetched(load) {
  /** @type {Promise<T> | null} */
  let part = null;
  return () => (part ??= load().catch(() => {
    part = null;
    throw /** @type {Refusal} */ ({ code: "offline", params: {}, message: "A part of the page could not be fetched." });
  }));
}

/** Storage of a browser that forbids storing: the page works, and forgets. @type {Shelf} */
const FORBIDDEN = { length: 0, key: () => null, getItem: () => null, setItem: () => {}, removeItem: () => {} };

/** @returns {Shelf} */
function shelf() {
  try {
    return localStorage;
  } catch {
    return FORBIDDEN;
  }
}

/**
 * Remembers the theme where the server sees it, so that the next page comes in it from the first paint on.
 * @param {string} theme
 */
function paint(theme) {
  document.documentElement.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `roomful_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

/** @param {() => void} again what to do when this page may have missed something */
function onWake(again) {
  addEventListener("online", again);
  addEventListener("pageshow", again);
  addEventListener("focus", again);
  document.addEventListener("resume", again);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") again();
  });
}

async function begin() {
  const client = new Client({
    session: JSON.parse(document.getElementById("session")?.textContent ?? ""),
    path: location.pathname,
    url: `${location.origin.replace(/^http/, "ws")}/ws`,
    clock: {
      now: () => Date.now(),
      random: () => Math.random(),
      after: (ms, then) => {
        const timer = setTimeout(then, ms);
        return () => clearTimeout(timer);
      },
    },
    WebSocket,
    fetch: (...asked) => fetch(...asked),
    shelf: shelf(),
    locks: navigator.locks,
    fill: (bytes) => void crypto.getRandomValues(bytes),
    go: (path, replace) => history[replace ? "replaceState" : "pushState"](null, "", path),
    paint,
  });
  onWake(() => client.wake());
  addEventListener("pagehide", () => client.rest());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") client.rest();
  });
  addEventListener("popstate", () => client.moved(location.pathname));
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== null) client.stored(key, newValue);
  });
  const { start } = await import("./views/shell.js");
  start(/** @type {HTMLElement} */ (document.getElementById("root")), client.app);
}

// Tests import this file without a document.
if (globalThis.document !== undefined) await begin();
