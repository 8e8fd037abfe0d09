// @ts-check
/**
 * My rooms: which they are, how far each has come and how far I have read, and what of it is missing. Pure, like all
 * of `state/`.
 *
 * @import { ReadMark, Room, RoomId, User } from "../types/protocol.d.ts"
 * @import { RoomEntry, State, Timeline } from "../types/state.d.ts"
 */

import { withHead } from "./timeline.js";

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
 * A room as the server tells it, with what only this client knows. A read mark of mine may be ahead of the server's,
 * because it is sent late.
 * @param {State} state
 * @param {Room} room
 * @returns {RoomEntry}
 */
export function restated(state, room) {
  const known = state.rooms.get(room.id);
  if (known === undefined || known.leftBy !== undefined) return { room, presence: null, gap: null };
  const read = further(known.room.read, room.read);
  const head = state.timelines.get(room.id)?.last ?? Math.max(room.head, known.room.head);
  const n = Math.max(room.n, known.room.n);
  return { room: { ...room, head, n, read }, presence: known.presence, gap: null };
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
 * @param {State} state
 * @param {RoomId} room
 * @param {number} head
 */
export function behind(state, room, head) {
  if (state.timelines.has(room)) return withTimeline(state, room, (timeline) => withHead(timeline, head));
  return withEntry(state, room, (entry) =>
    head > entry.room.head && entry.gap === null ? { ...entry, gap: { after: entry.room.head } } : entry);
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
 * @param {State} state
 * @param {RoomId} room
 * @param {ReadMark} mark
 */
export function withRead(state, room, { seq, n }) {
  return withEntry(state, room, (entry) => {
    const read = further(entry.room.read, { seq, n });
    return read === entry.room.read ? entry : { ...entry, room: { ...entry.room, read } };
  });
}

/**
 * Where a timeline is behind its room's head, that is a gap. A room without a timeline just goes on from its head.
 * @param {State} state
 * @param {Room[]} rooms
 */
export function withHeads(state, rooms) {
  return rooms.reduce(
    (so, room) => withTimeline(so, room.id, (timeline) => withHead(timeline, room.head)), state);
}

/**
 * How far a room has come with an event, and what is missing. A timeline keeps both; without one the entry does.
 * @param {RoomEntry} entry
 * @param {number} seq
 * @param {Timeline} [timeline]
 */
export function placed({ room: { head }, gap }, seq, timeline) {
  if (timeline !== undefined) return { head: timeline.last, gap: null };
  if (seq <= head) return { head, gap };
  return seq === head + 1 ? { head: seq, gap: null } : { head, gap: gap ?? { after: head } };
}

/**
 * @param {Room} room
 * @param {number} head
 * @param {number} [n] an ordinal that exists
 */
export function counted(room, head, n = 0) {
  return head === room.head && n <= room.n ? room : { ...room, head, n: Math.max(n, room.n) };
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {(entry: RoomEntry) => RoomEntry} change
 */
export function withEntry(state, room, change) {
  const entry = state.rooms.get(room);
  const next = entry && change(entry);
  return next === undefined || next === entry ? state : { ...state, rooms: set(state.rooms, room, next) };
}

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {(timeline: Timeline) => Timeline} change
 */
export function withTimeline(state, room, change) {
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
export function set(map, key, value) {
  return new Map(map).set(key, value);
}

/**
 * @template V
 * @param {Map<string, V>} map
 * @param {(key: string, value: V) => boolean} gone
 */
export function dropped(map, gone) {
  return new Map([...map].filter(([key, value]) => !gone(key, value)));
}

/** @param {Map<RoomId, RoomEntry>} rooms */
export function byName(rooms) {
  return new Map([...rooms].sort(([, a], [, b]) => a.room.name.localeCompare(b.room.name)));
}

/**
 * @param {ReadMark} a
 * @param {ReadMark} b
 */
function further(a, b) {
  return b.seq <= a.seq && b.n <= a.n ? a : { seq: Math.max(a.seq, b.seq), n: Math.max(a.n, b.n) };
}
