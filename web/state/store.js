// @ts-check
/**
 * The whole state of the client, and what each frame makes of it. Pure: every function gives a new state, or the very
 * one it was given when nothing changes.
 *
 * @import {
 *   Command, Event, Hello, MessagePage, Posted, Reset, RoomId, ServerFrame, Session, User,
 * } from "../types/protocol.d.ts"
 * @import { Connection, Loading, Pending, State } from "../types/state.d.ts"
 */

import { without } from "./outbox.js";
import {
  behind, byName, counted, cursor, dropped, joined, left, placed, restated, set, withEntry, withHeads, withRead,
  withTimeline,
} from "./rooms.js";
import { fresh, isEvent, withEvent, withHope, withPage, withPosted, withReset } from "./timeline.js";

/** Replaced by what `hello` says. */
const HEARTBEAT_MS = 25_000;

/**
 * @param {Session} session
 * @param {string} path
 * @returns {State}
 */
export function initial(session, path) {
  return {
    session,
    me: session.user,
    may: [],
    limits: session.limits,
    epoch: null,
    build: session.build,
    newBuild: false,
    heartbeatMs: HEARTBEAT_MS,
    connection: { status: "idle", retryAt: null, lostAt: null, ended: null },
    rooms: new Map(),
    timelines: new Map(),
    outbox: [],
    drafts: new Map(),
    path,
  };
}

/**
 * What a frame makes of the state.
 * @param {State} state
 * @param {ServerFrame} frame
 * @returns {State}
 */
export function apply(state, frame) {
  const applied = Object.hasOwn(frames, frame.type) ? /** @type {any} */ (frames)[frame.type] : happened;
  return frame.type === "unknown" && frame.room === undefined ? state : applied(state, frame);
}

/**
 * Whether this client knows what to do with a frame of this type.
 * @param {string} type
 */
export function isKnown(type) {
  return Object.hasOwn(frames, type) || isEvent(type);
}

/**
 * What is shown while these commands are not answered.
 * @param {State} state
 * @param {Iterable<Command>} commands
 */
export function hoped(state, commands) {
  let shown = state;
  for (const command of commands) {
    const { me } = state;
    if (me === null || !("room" in command) || command.room === undefined) continue;
    shown = withTimeline(shown, command.room, (timeline) => withHope(timeline, command, me));
  }
  return shown;
}

/** @param {State} state */
const unchanged = (state) => state;

/**
 * What each frame that is no durable event makes of the state; `rows` and `touching` of timeline.js say it of those.
 * @type {{
 *   [T in Exclude<ServerFrame["type"], Event["type"]>]:
 *     (state: State, frame: Extract<ServerFrame, { type: T }>) => State
 * }}
 */
const frames = {
  hello: greeted,
  presence: (state, { room, count, here }) =>
    withEntry(state, room, (entry) => ({ ...entry, presence: { count, here } })),
  reset: restarted,
  lagged: (state, { room }) => behind(state, room, Infinity),
  room_joined: (state, { room }) => joined(state, room),
  room_left: (state, { room, seq, by }) => left(state, room, seq, by),
  read_marked: (state, mark) => withRead(state, mark.room, mark),
  reply: unchanged,
  beat: unchanged,
  session_ended: unchanged,
};

/**
 * @param {State} state
 * @param {Partial<Connection>} connection
 */
export function withConnection(state, connection) {
  return { ...state, connection: { ...state.connection, ...connection } };
}

/**
 * What the server said of who is signed in.
 * @param {State} state
 * @param {Session} session
 */
export function withSession(state, session) {
  return { ...state, session, newBuild: state.newBuild || session.build !== state.build };
}

/**
 * A page was asked for.
 * @param {State} state
 * @param {RoomId} room
 * @param {Loading} request
 */
export function loading(state, room, request) {
  const timeline = state.timelines.get(room) ?? fresh(room, cursor(state, room) ?? 0);
  // The timeline carries the cursor from now on, so it takes over what is missing.
  const gap = state.timelines.has(room) ? timeline.gap : state.rooms.get(room)?.gap ?? null;
  return { ...state, timelines: set(state.timelines, room, { ...timeline, loading: request, gap }) };
}

/**
 * A page that was asked for could not be had.
 * @param {State} state
 * @param {RoomId} room
 */
export function unloaded(state, room) {
  const timeline = state.timelines.get(room);
  if (timeline !== undefined && timeline.messages.length === 0 && timeline.moreBefore) {
    return { ...state, timelines: dropped(state.timelines, (known) => known === room) };
  }
  return withTimeline(state, room, (known) => ({ ...known, loading: null }));
}

/**
 * A page has come. `asked`: see `withPage` of timeline.js.
 * @param {State} state
 * @param {RoomId} room
 * @param {Loading} request
 * @param {MessagePage} page
 * @param {number} [asked]
 */
export function paged(state, room, request, page, asked) {
  const next = withTimeline(state, room, (timeline) => withPage(timeline, request, page, asked));
  const n = page.messages.at(-1)?.n;
  return withoutPosted(
    withEntry(next, room, (entry) => ({ ...entry, room: counted(entry.room, cursor(next, room) ?? 0, n) })),
    page.messages);
}

/**
 * The reply to `post_message`: the message is on the disk, whether or not its event has come.
 * @param {State} state
 * @param {Pending} pending
 * @param {Posted} reply
 */
export function posted(state, pending, { seq, n, at, nonce }) {
  const me = state.me;
  if (me === null) return state;
  const message = { seq, n, at, by: me, text: pending.text, rev: seq, nonce };
  const shown = withTimeline(state, pending.room, (timeline) => withPosted(timeline, message));
  const told = withEntry(shown, pending.room, (entry) =>
    ({ ...entry, room: counted(entry.room, entry.room.head, n) }));
  return withRead(withOutbox(told, without(told.outbox, (known) => known === nonce)), pending.room, { seq, n });
}

/**
 * @param {State} state
 * @param {Pending[]} outbox
 */
export function withOutbox(state, outbox) {
  return outbox === state.outbox ? state : { ...state, outbox };
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {string} text
 */
export function withDraftText(state, room, text) {
  if ((state.drafts.get(room) ?? "") === text) return state;
  const drafts = new Map(state.drafts);
  if (text === "") drafts.delete(room);
  else drafts.set(room, text);
  return { ...state, drafts };
}

/**
 * @param {State} state
 * @param {Hello} hello
 * @returns {State}
 */
function greeted(state, hello) {
  const stranger = state.me !== null && state.me.id !== hello.user.id;
  const anew = stranger || (state.epoch !== null && state.epoch !== hello.epoch);
  /** @type {State} */
  const known = anew ? { ...state, rooms: new Map(), timelines: new Map() } : state;
  const heads = new Map(hello.rooms.map((room) => [room.id, room.head]));
  // What is ahead of its head belongs to another life of the database; what has no head is not mine any more.
  const trusted = {
    ...known,
    rooms: dropped(known.rooms, (id, { room }) => room.head > (heads.get(id) ?? -1)),
    timelines: dropped(known.timelines, (id, { last }) => last > (heads.get(id) ?? -1)),
  };
  const rooms = byName(new Map(hello.rooms.map((room) => [room.id, restated(trusted, room)])));
  return withHeads({
    ...trusted,
    rooms,
    session: { ...state.session, user: hello.user, role: hello.role },
    me: hello.user,
    may: hello.may,
    limits: hello.limits,
    epoch: hello.epoch,
    newBuild: state.newBuild || hello.build !== state.build,
    heartbeatMs: hello.heartbeat_ms,
    outbox: stranger ? [] : state.outbox,
    drafts: stranger ? new Map() : state.drafts,
  }, hello.rooms);
}

/**
 * Too much of a room was missed: only the page of the reset counts from now on.
 * @param {State} state
 * @param {Reset} reset
 */
function restarted(state, reset) {
  const shown = withTimeline(state, reset.room, (timeline) => withReset(timeline, reset));
  const told = withEntry(shown, reset.room, (entry) =>
    ({ ...entry, gap: null, room: counted(entry.room, reset.as_of, reset.messages.at(-1)?.n) }));
  return withoutPosted(told, reset.messages);
}

/**
 * A durable event: in its timeline, in the room's counts, and in my outbox when it is a message of mine.
 * @param {State} state
 * @param {Event} event
 */
function happened(state, event) {
  const mine = event.type !== "unknown" && event.by.id === state.me?.id;
  const withRows = withTimeline(state, event.room, (timeline) => withEvent(timeline, event, mine));
  const told = withEntry(withRows, event.room, (entry) => {
    const { head, gap } = placed(entry, event.seq, withRows.timelines.get(event.room));
    const room = counted(entry.room, head, event.type === "message_posted" ? event.n : undefined);
    return room === entry.room && gap === entry.gap ? entry : { ...entry, room, gap };
  });
  if (event.type !== "message_posted" || !mine) return told;
  return withRead(withoutPosted(told, [event]), event.room, event);
}

/**
 * My messages that are among these have a place now.
 * @param {State} state
 * @param {Array<{ nonce: string, by: User }>} messages
 */
function withoutPosted(state, messages) {
  if (state.outbox.length === 0) return state;
  const mine = new Set(messages.filter(({ by }) => by.id === state.me?.id).map(({ nonce }) => nonce));
  return withOutbox(state, without(state.outbox, (nonce) => mine.has(nonce)));
}

