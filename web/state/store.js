// @ts-check
/**
 * The whole state of the client, and what each frame makes of it. Pure: every function gives a new state, or the very
 * one it was given when nothing changes.
 *
 * @import {
 *   Hello, MessagePage, Posted, ReadMark, Room, RoomId, ServerFrame, Session, User, Event,
 * } from "../types/protocol.d.ts"
 * @import { Connection, Loading, Pending, RoomEntry, State, Timeline } from "../types/state.d.ts"
 */

import { without } from "./outbox.js";
import { fresh, withEvent, withHead, withPage, withPosted, withReset } from "./timeline.js";

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
    role: session.role ?? null,
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
  switch (frame.type) {
    case "hello":
      return greeted(state, frame);
    case "presence":
      return withEntry(state, frame.room, (entry) =>
        ({ ...entry, presence: { count: frame.count, here: frame.here } }));
    case "reset":
      return withoutPosted(
        withEntry(
          withTimeline(state, frame.room, (timeline) => withReset(timeline, frame)),
          frame.room,
          (entry) => ({ ...entry, gap: null, room: counted(entry.room, frame.as_of, frame.messages.at(-1)?.n) })),
        frame.messages);
    case "lagged":
      return behind(state, frame.room, Infinity);
    case "room_joined":
      return joined(state, frame.room);
    case "room_left":
      return left(state, frame.room, frame.seq, frame.by);
    case "read_marked":
      return withRead(state, frame.room, frame);
    case "reply":
    case "beat":
    case "session_ended":
      return state;
    default:
      return frame.room === undefined ? state : happened(state, frame);
  }
}

/**
 * Rooms of which something after `after` is missing.
 * @param {State} state
 * @returns {Array<{ room: RoomId, after: number }>}
 */
export function gaps(state) {
  const found = [];
  for (const [room, entry] of state.rooms) {
    const gap = state.timelines.has(room) ? state.timelines.get(room)?.gap : entry.gap;
    if (gap && entry.leftBy === undefined) found.push({ room, after: gap.after });
  }
  return found;
}

/**
 * The heads a beat told, a moment later: what has not come by now was lost.
 * @param {State} state
 * @param {Record<RoomId, number>} heads
 */
export function missed(state, heads) {
  return Object.entries(heads).reduce((so, [room, head]) => behind(so, room, head), state);
}

/**
 * The last `seq` this client has applied of a room; null when it is not one of mine.
 * @param {State} state
 * @param {RoomId} room
 */
export function cursor(state, room) {
  return state.timelines.get(room)?.last ?? state.rooms.get(room)?.room.head ?? null;
}

/**
 * How many messages I have not read.
 * @param {RoomEntry} entry
 */
export function unread({ room }) {
  return Math.max(0, room.n - room.read.n);
}

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
 * All up to `seq` was seen, so far as the messages here tell which ordinal that is.
 * @param {State} state
 * @param {RoomId} room
 * @param {number} seq
 */
export function seen(state, room, seq) {
  const n = state.timelines.get(room)?.messages.findLast((message) => message.seq <= seq)?.n;
  return n === undefined ? state : withRead(state, room, { seq, n });
}

/**
 * A room I am in, as told by `room_joined`, `join_room`, `open_room` or a list of mine.
 * @param {State} state
 * @param {Room} room
 */
export function joined(state, room) {
  const rooms = new Map(state.rooms).set(room.id, restated(state, room));
  return withHeads({ ...state, rooms: byName(rooms) }, [room]);
}

/**
 * A room I am not in any more. Whoever did it to me is kept for the notice.
 * @param {State} state
 * @param {RoomId} room
 * @param {number} [seq] of the leave, where told
 * @param {User} [by]
 */
export function left(state, room, seq, by) {
  const entry = state.rooms.get(room);
  // Told of an older membership: I am back in by now.
  if (entry === undefined || (seq !== undefined && (cursor(state, room) ?? 0) > seq)) return state;
  const rooms = new Map(state.rooms);
  if (by === undefined || by.id === state.me?.id) rooms.delete(room);
  else rooms.set(room, { ...entry, presence: null, gap: null, leftBy: by });
  return { ...state, rooms, timelines: dropped(state.timelines, (known) => known === room) };
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
    role: hello.role,
    limits: hello.limits,
    epoch: hello.epoch,
    newBuild: state.newBuild || hello.build !== state.build,
    heartbeatMs: hello.heartbeat_ms,
    outbox: stranger ? [] : state.outbox,
    drafts: stranger ? new Map() : state.drafts,
  }, hello.rooms);
}

/**
 * A room as the server tells it, with what only this client knows. A read mark of mine may be ahead of the server's,
 * because it is sent late.
 * @param {State} state
 * @param {Room} room
 * @returns {RoomEntry}
 */
function restated(state, room) {
  const known = state.rooms.get(room.id);
  if (known === undefined || known.leftBy !== undefined) return { room, presence: null, gap: null };
  const read = further(known.room.read, room.read);
  const head = state.timelines.get(room.id)?.last ?? Math.max(room.head, known.room.head);
  const n = Math.max(room.n, known.room.n);
  return { room: { ...room, head, n, read }, presence: known.presence, gap: null };
}

/**
 * Where a timeline is behind its room's head, that is a gap. A room without a timeline just goes on from its head.
 * @param {State} state
 * @param {Room[]} rooms
 */
function withHeads(state, rooms) {
  return rooms.reduce(
    (so, room) => withTimeline(so, room.id, (timeline) => withHead(timeline, room.head)), state);
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {number} head
 */
function behind(state, room, head) {
  if (state.timelines.has(room)) return withTimeline(state, room, (timeline) => withHead(timeline, head));
  return withEntry(state, room, (entry) =>
    head > entry.room.head && entry.gap === null ? { ...entry, gap: { after: entry.room.head } } : entry);
}

/**
 * A durable event: in its timeline, in the room's counts, and in my outbox when it is a message of mine.
 * @param {State} state
 * @param {Event} event
 */
function happened(state, event) {
  const withRows = withTimeline(state, event.room, (timeline) => withEvent(timeline, event));
  const told = withEntry(withRows, event.room, (entry) => {
    const { head, gap } = placed(entry, event.seq, withRows.timelines.get(event.room));
    const room = counted(entry.room, head, event.type === "message_posted" ? event.n : undefined);
    return room === entry.room && gap === entry.gap ? entry : { ...entry, room, gap };
  });
  if (event.type !== "message_posted" || event.by.id !== state.me?.id) return told;
  return withRead(withoutPosted(told, [event]), event.room, event);
}

/**
 * How far a room has come with an event, and what is missing. A timeline keeps both; without one the entry does.
 * @param {RoomEntry} entry
 * @param {number} seq
 * @param {Timeline} [timeline]
 */
function placed({ room: { head }, gap }, seq, timeline) {
  if (timeline !== undefined) return { head: timeline.last, gap: null };
  if (seq <= head) return { head, gap };
  return seq === head + 1 ? { head: seq, gap: null } : { head, gap: gap ?? { after: head } };
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

/**
 * @param {Room} room
 * @param {number} head
 * @param {number} [n] an ordinal that exists
 */
function counted(room, head, n = 0) {
  return head === room.head && n <= room.n ? room : { ...room, head, n: Math.max(n, room.n) };
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {ReadMark} mark
 */
function withRead(state, room, { seq, n }) {
  return withEntry(state, room, (entry) => {
    const read = further(entry.room.read, { seq, n });
    return read === entry.room.read ? entry : { ...entry, room: { ...entry.room, read } };
  });
}

/**
 * @param {ReadMark} a
 * @param {ReadMark} b
 */
function further(a, b) {
  return b.seq <= a.seq && b.n <= a.n ? a : { seq: Math.max(a.seq, b.seq), n: Math.max(a.n, b.n) };
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {(entry: RoomEntry) => RoomEntry} change
 */
function withEntry(state, room, change) {
  const entry = state.rooms.get(room);
  const next = entry && change(entry);
  return next === undefined || next === entry ? state : { ...state, rooms: set(state.rooms, room, next) };
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {(timeline: Timeline) => Timeline} change
 */
function withTimeline(state, room, change) {
  const timeline = state.timelines.get(room);
  const next = timeline && change(timeline);
  return next === undefined || next === timeline ? state : { ...state, timelines: set(state.timelines, room, next) };
}

/**
 * @template V
 * @param {Map<string, V>} map
 * @param {string} key
 * @param {V} value
 */
function set(map, key, value) {
  return new Map(map).set(key, value);
}

/**
 * @template V
 * @param {Map<string, V>} map
 * @param {(key: string, value: V) => boolean} gone
 */
function dropped(map, gone) {
  return new Map([...map].filter(([key, value]) => !gone(key, value)));
}

/** @param {Map<RoomId, RoomEntry>} rooms */
function byName(rooms) {
  return new Map([...rooms].sort(([, a], [, b]) => a.room.name.localeCompare(b.room.name)));
}
