// @ts-check
/**
 * Puts the client together: state, wire and views meet here and nowhere else.
 *
 * @import { Command, MessagePage, Refusal, Room, RoomId, ServerFrame, Session } from "./types/protocol.d.ts"
 * @import { Actions, App, Loading, State } from "./types/state.d.ts"
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

import { api } from "./net/api.js";
import { Outbox, ReadMarks } from "./net/outbox.js";
import { Socket } from "./net/socket.js";
import { nonces, passes } from "./state/outbox.js";
import * as store from "./state/store.js";
import { isOutdated, placeOf } from "./state/timeline.js";
import { strings } from "./strings/en.js";
import { signal } from "./vendor/all.js";

/** Frames that come within this time are shown together. */
const FRAME_MS = 16;
/** A beat may overtake the events it speaks of by this much. */
const BEAT_GRACE_MS = 1_000;
/** How often a page is asked for again when it is out of date on arrival. */
const CHASES = 3;

export class Client {
  /** @type {World} */
  #world;
  /** @type {State} */
  #state;
  /** @type {Signal<State>} */
  #shown;
  #shownAt = 0;
  #showing = false;
  /** @type {ReturnType<typeof api>} */
  #api;
  /** @type {Socket} */
  #socket;
  #nonce;
  /** @type {Outbox} */
  #outbox;
  /** @type {ReadMarks} */
  #marks;
  /** @type {Map<string, Promise<void>>} */
  #loads = new Map();
  /** @type {Map<RoomId, Promise<void>>} */
  #turns = new Map();
  /** What waits for a connection. @type {Array<{ resolve(): void, reject(error: Refusal): void }>} */
  #waiting = [];
  /** Nonces of creations whose outcome is not known. @type {Map<string, string>} */
  #making = new Map();
  /** Invite token → name of the room it leads to. @type {Map<string, string>} */
  #leads = new Map();

  /** @param {World} world */
  constructor(world) {
    this.#world = world;
    this.#state = store.initial(world.session, world.path);
    this.#shown = signal(this.#state);
    this.#api = api(world.fetch);
    this.#nonce = nonces(world.fill);
    this.#socket = new Socket({
      url: world.url,
      WebSocket: world.WebSocket,
      clock: world.clock,
      onFrame: (frame) => this.#hear(frame),
      onChange: (connection) => this.#change(store.withConnection(this.#state, connection)),
      isSignedIn: () => this.#isSignedIn(),
      probe: () => this.#probe(),
    });
    const desk = {
      state: () => this.#state,
      change: (/** @type {State} */ next) => this.#change(next),
      send: (/** @type {Command} */ command) => this.#socket.send(command),
      nonce: this.#nonce,
      clock: world.clock,
      shelf: world.shelf,
      locks: world.locks,
    };
    this.#outbox = new Outbox(desk);
    this.#marks = new ReadMarks(desk);
    if (this.#state.me !== null) this.#start();
  }

  /** What views get. @returns {App} */
  get app() {
    return { state: this.#shown, actions: this.#actions(), strings };
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
    this.#shown.value = this.#state;
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
    const after = frame.type === "lagged" ? store.cursor(this.#state, frame.room) : null;
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
      if (forgotten) this.#load(room, "newest").catch(() => {});
    }
    this.#marks.flush();
    this.#outbox.release();
  }

  #fillGaps() {
    for (const { room, after } of store.gaps(this.#state)) this.#socket.resume(room, after);
  }

  /** @param {Record<RoomId, number>} heads */
  #beat(heads) {
    this.#world.clock.after(BEAT_GRACE_MS, () => {
      this.#change(store.missed(this.#state, heads), true);
      this.#fillGaps();
      const unheardOf = Object.keys(heads).some((room) => !this.#state.rooms.has(room));
      if (unheardOf) this.#learnRooms().catch(() => {});
    });
  }

  /** Rooms I am in that this client was never told of. */
  async #learnRooms() {
    const { mine } = await this.#socket.send({ type: "list_rooms" });
    for (const room of /** @type {Room[]} */ (mine)) {
      if (!this.#state.rooms.has(room.id)) this.#change(store.joined(this.#state, room));
    }
  }

  /**
   * @param {RoomId} room
   * @param {Loading} request
   * @param {number} [seq]
   * @returns {Promise<void>}
   */
  #load(room, request, seq) {
    const key = JSON.stringify([room, request, seq]);
    const known = this.#loads.get(key);
    if (known !== undefined) return known;
    // One at a time: an older and a newest page would disagree on which window they belong to.
    const turn = (this.#turns.get(room) ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#fetch(room, request, seq));
    const load = turn.finally(() => {
      this.#loads.delete(key);
      if (this.#turns.get(room) === turn) this.#turns.delete(room);
    });
    this.#loads.set(key, load);
    this.#turns.set(room, turn);
    return load;
  }

  /**
   * @param {RoomId} room
   * @param {Loading} request
   * @param {number} [seq]
   */
  async #fetch(room, request, seq) {
    const { me } = this.#state;
    for (let chases = 0; ;) {
      await this.#connected();
      if (this.#state.me?.id !== me?.id) return;
      const wanted = placeOf(this.#state.timelines.get(room), request, seq);
      if (wanted === null) return;
      this.#change(store.loading(this.#state, room, wanted.request));
      try {
        const page = await this.#socket.send({ type: "list_messages", room, ...wanted.place });
        const before = this.#state;
        this.#change(store.paged(before, room, wanted.request, page, wanted.asked));
        if (!this.#isLate(before, room, wanted.request, page) || ++chases > CHASES) return;
      } catch (thrown) {
        const error = /** @type {Refusal} */ (thrown);
        this.#change(store.unloaded(this.#state, room));
        if (!passes(error)) throw error;
        if (this.#state.connection.status === "open") await this.#pause(error.retry_after_ms ?? 1_000);
      }
    }
  }

  /**
   * Whether a page has to be asked for again.
   * @param {State} before
   * @param {RoomId} room
   * @param {Loading} request
   * @param {MessagePage} page
   */
  #isLate(before, room, request, page) {
    const timeline = before.timelines.get(room);
    if (timeline !== undefined && isOutdated(timeline, page)) return true;
    return request === "newest" && this.#state.timelines.get(room)?.moreAfter === true;
  }

  /** @returns {Promise<void>} once there is a connection */
  #connected() {
    if (this.#state.connection.status === "open") return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  #pause(ms) {
    return new Promise((resolve) => void this.#world.clock.after(ms, resolve));
  }

  /** @returns {Command} */
  #probe() {
    for (const [room, { last }] of this.#state.timelines) return { type: "resume", room, after: last };
    return { type: "list_rooms" };
  }

  async #isSignedIn() {
    const session = await this.#api.session();
    this.#change(store.withSession(this.#state, session));
    return session.user !== null;
  }

  /**
   * Signs in by `asking`, and connects as whoever that makes me.
   * @param {Promise<unknown>} asking
   */
  async #enter(asking) {
    await asking;
    const session = await this.#api.session();
    const { me, path, build } = this.#state;
    if (me !== null && me.id === session.user?.id) {
      this.#change(store.withSession(this.#state, session));
      this.#socket.start();
    } else {
      this.#leave();
      this.#change({ ...store.initial(session, path), build });
      if (session.user !== null) this.#start();
    }
    if (/^\/(sign-in|setup|invite)$/.test(path)) this.#navigate("/", { replace: true });
  }

  /** Ends everything that goes on for the present user. */
  #leave() {
    this.#socket.stop();
    /** @type {Refusal} */
    const over = { code: "unauthenticated", params: {}, message: "You are signed out." };
    for (const { reject } of this.#waiting.splice(0)) reject(over);
    this.#marks.clear();
  }

  async #signOut() {
    await this.#api.signOut();
    const { me, session, build } = this.#state;
    this.#leave();
    if (me !== null) this.#outbox.forget(me.id);
    const now = await this.#api.session().catch(() => ({ ...session, user: null, role: undefined, session: null }));
    this.#change({ ...store.initial(now, "/"), build });
    this.#navigate("/");
  }

  /** @param {{ invite: string, name: string, password: string }} draft */
  async #signUp(draft) {
    await this.#enter(this.#api.signUp(draft));
    const lead = this.#leads.get(draft.invite);
    if (lead === undefined) return;
    await this.#connected();
    const found = [...this.#state.rooms.values()].find(({ room }) => room.name === lead);
    if (found !== undefined) this.#navigate(`/rooms/${found.room.id}`, { replace: true });
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
   * Creates something, under the same nonce as before when nobody knows what became of the last attempt.
   * @template T
   * @param {unknown} draft
   * @param {(nonce: string) => Command} command
   * @returns {Promise<T>}
   */
  async #create(draft, command) {
    const key = JSON.stringify(draft);
    const nonce = this.#making.get(key) ?? this.#nonce(this.#world.clock.now());
    this.#making.set(key, nonce);
    try {
      const made = await this.#socket.send(command(nonce));
      this.#making.delete(key);
      return made;
    } catch (thrown) {
      if (/** @type {Refusal} */ (thrown).code !== "unknown") this.#making.delete(key);
      throw thrown;
    }
  }

  /** @param {RoomId} room */
  async #leaveRoom(room) {
    if (this.#state.rooms.get(room)?.leftBy === undefined) await this.#socket.send({ type: "leave_room", room });
    this.#change(store.left(this.#state, room));
  }

  /** @returns {Actions} */
  #actions() {
    /** @param {Command} command */
    const send = (command) => this.#socket.send(command);
    /** @param {Room} room */
    const member = (room) => {
      this.#change(store.joined(this.#state, room));
      return room;
    };
    return {
      post: (room, text) => this.#outbox.post(room, text),
      retry: (nonce) => this.#outbox.retry(nonce),
      discard: (nonce) => this.#outbox.discard(nonce),
      edit: (room, seq, text) => send({ type: "edit_message", room, seq, text }),
      remove: (room, seq) => send({ type: "delete_message", room, seq }),
      markRead: (room, seq, now) => this.#marks.note(room, seq, now),
      openRoom: async ({ name, kind }) => member(await this.#create(
        ["open_room", name, kind], (nonce) => ({ type: "open_room", name, kind, nonce }))),
      joinRoom: async (room) => member(await send({ type: "join_room", room })),
      leaveRoom: (room) => this.#leaveRoom(room),
      inviteMember: (room, user) => send({ type: "invite_member", room, user }),
      removeMember: (room, user) => send({ type: "remove_member", room, user }),
      loadNewest: (room) => this.#load(room, "newest"),
      loadOlder: (room) => this.#load(room, "older"),
      loadNewer: (room) => this.#load(room, "newer"),
      loadAround: (room, seq) => this.#load(room, "around", seq),
      setDraft: (room, text) => this.#outbox.setDraft(room, text),
      createInvite: (draft) => this.#create(
        ["create_invite", draft], (nonce) => ({ type: "create_invite", ...draft, nonce })),
      listInvites: () => send({ type: "list_invites" }),
      revokeInvite: (invite) => send({ type: "revoke_invite", invite }),
      listRooms: (cursor) => send({ type: "list_rooms", cursor }),
      listMembers: (room, cursor) => send({ type: "list_members", room, cursor }),
      listUsers: (name, cursor) => send({ type: "list_users", name, cursor }),
      reconnectNow: () => (this.#state.connection.status === "open" ? this.wake() : this.#socket.start()),
      signIn: (draft) => this.#enter(this.#api.signIn(draft)),
      signOut: () => this.#signOut(),
      comeIn: (draft) => this.#enter(this.#api.comeIn(draft)),
      setUp: (draft) => this.#enter(this.#api.setUp(draft)),
      signUp: (draft) => this.#signUp(draft),
      acceptInvite: (token) => this.#api.acceptInvite(token),
      viewInvite: async (token) => {
        const view = await this.#api.viewInvite(token);
        if (view.room !== undefined) this.#leads.set(token, view.room);
        return view;
      },
      setTheme: (theme) => this.#world.paint(theme),
      navigate: (path, how) => this.#navigate(path, how),
    };
  }
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
