// @ts-check
/**
 * One room's messages as far as they are known: a window without holes, kept right by events, pages and resets that
 * arrive in any mixture. Pure: every function gives a new timeline or the very one it was given.
 *
 * crates/client/src/timeline.rs does the same; both run crates/protocol/fixtures/timelines.
 *
 * @import {
 *   Command, Event, Message, MessagePage, MessagePosted, MessageReacted, Reset, RoomId, User,
 * } from "../types/protocol.d.ts"
 * @import { Known, Loading, Timeline, Touch, TouchingEvent } from "../types/state.d.ts"
 */

/** The most messages a window holds; the far end goes first, and can be loaded again. */
const WINDOW = 2000;
/** How many people a reaction names. */
const NAMED = 3;
/** How many messages' touches are kept, and how many of each: enough to correct the pages that can be under way. */
const TOUCHED = 1000;
const TOUCHES = 100;

/**
 * A timeline that has seen nothing yet and goes on from `last`.
 * @param {RoomId} room
 * @param {number} last
 * @returns {Timeline}
 */
export function fresh(room, last) {
  return {
    room, last, messages: [], moreBefore: last > 0, moreAfter: false, loading: null, gap: null,
    touches: new Map(), heard: last, since: last, newest: 0,
  };
}

/**
 * What a durable event makes of it: applied when it is the next one, ignored when it is known, a gap when one between
 * is missing. `mine`: whether I caused it.
 * @param {Timeline} timeline
 * @param {Event} event
 * @param {boolean} mine
 * @returns {Timeline}
 */
export function withEvent(timeline, event, mine) {
  if (event.seq <= timeline.last) return timeline;
  if (event.seq > timeline.last + 1) {
    return timeline.gap === null ? { ...timeline, gap: { after: timeline.last } } : timeline;
  }
  const next = { ...timeline, last: event.seq, gap: null };
  if (Object.hasOwn(touching, event.type)) return touched(next, { event: /** @type {TouchingEvent} */ (event), mine });
  return Object.hasOwn(rows, event.type) ? /** @type {any} */ (rows)[event.type](next, event) : next;
}

/**
 * Whether this client knows durable events of this type.
 * @param {string} type
 */
export function isEvent(type) {
  return Object.hasOwn(rows, type) || Object.hasOwn(touching, type);
}

/** @param {Timeline} timeline */
const withoutRow = (timeline) => timeline;

/**
 * What each durable event that touches no earlier message makes of a timeline, which may be changed in place.
 * @type {{
 *   [T in Exclude<Event["type"], TouchingEvent["type"] | "unknown">]:
 *     (timeline: Timeline, event: Extract<Event, { type: T }>) => Timeline
 * }}
 */
const rows = {
  message_posted: (timeline, event) => posted(timeline, messageOf(event)),
  member_joined: withoutRow,
  member_left: withoutRow,
};

/**
 * What each event that touches a message makes of it; the very message when it is known already.
 * @type {{
 *   [T in TouchingEvent["type"]]: (message: Known, event: Extract<TouchingEvent, { type: T }>, mine: boolean) => Known
 * }}
 */
const touching = {
  message_edited: (message, { rev, text, edited_at, deleted }) => revised(message, rev, { text, edited_at, deleted }),
  message_deleted: (message, { rev }) => revised(message, rev, { text: "", deleted: true }),
  message_reacted: (message, event, mine) =>
    event.seq <= knownOf(message) ? message : { ...reacted(message, event, mine), known: event.seq },
};

/**
 * What each command shows while it is not answered, where it shows anything. It must change nothing once its event has
 * come, because that may be before the answer.
 * @type {{
 *   [T in Command["type"]]?: (timeline: Timeline, command: Extract<Command, { type: T }>, me: User) => Timeline
 * }}
 */
const hopes = {
  react: (timeline, { seq, emoji, on }, by) => {
    const at = timeline.messages.findIndex((message) => message.seq === seq);
    const known = timeline.messages[at]?.reactions?.find((one) => one.emoji === emoji);
    if (at < 0 || (known?.mine ?? false) === on) return timeline;
    const count = (known?.count ?? 0) + (on ? 1 : -1);
    const message = reacted(timeline.messages[at], { emoji, on, count, by }, true);
    return { ...timeline, messages: timeline.messages.with(at, message) };
  },
};

/**
 * What is shown while `command` is not answered.
 * @param {Timeline} timeline
 * @param {Command} command
 * @param {User} me
 * @returns {Timeline}
 */
export function withHope(timeline, command, me) {
  return /** @type {any} */ (hopes)[command.type](timeline, command, me);
}

/**
 * Whether a command shows anything before it is answered.
 * @param {Command} command
 */
export function hasHope(command) {
  return Object.hasOwn(hopes, command.type);
}

/**
 * My own message, known from the reply to `post_message` before its event has come.
 * @param {Timeline} timeline
 * @param {Message} message
 */
export function withPosted(timeline, message) {
  return message.seq <= timeline.last ? timeline : posted({ ...timeline }, message);
}

/**
 * What to ask for, given the window as it stands; null when there is nothing more that way.
 * @param {Timeline | undefined} timeline
 * @param {Loading} request
 * @param {number} [seq]
 * @returns {{ request: Loading, place: { before?: number, after?: number, around?: number }, asked?: number } | null}
 */
export function placeOf(timeline, request, seq) {
  if (request === "around") return { request, place: { around: seq } };
  if (request === "newest" || timeline === undefined) return { request: "newest", place: {} };
  const older = request === "older";
  if (older ? !timeline.moreBefore : !timeline.moreAfter) return null;
  const asked = timeline.messages.at(older ? 0 : -1)?.seq;
  if (asked === undefined) return { request: "newest", place: {} };
  return { request, place: older ? { before: asked } : { after: asked }, asked };
}

/**
 * A page that was asked for; dropped when it is outdated. `asked` is the `seq` an older page was to end before, or a
 * newer one to begin after: when the window has moved since, the page no longer fits and is dropped, too.
 * @param {Timeline} timeline
 * @param {Loading} request
 * @param {MessagePage} page
 * @param {number} [asked]
 * @returns {Timeline}
 */
export function withPage(timeline, request, { messages, ...rest }, asked) {
  const page = { ...rest, messages: asOf(messages, rest.as_of) };
  const arrived = { ...timeline, loading: null };
  if (isOutdated(timeline, page)) return arrived;
  const seqs = page.messages.map((message) => message.seq);
  arrived.newest = Math.max(timeline.newest, ...seqs.slice(-1));
  switch (request) {
    case "newest":
      return withNewest(arrived, page);
    case "around":
      return standing(arrived, page);
    case "older": {
      if (asked !== undefined && timeline.messages[0]?.seq !== asked) return arrived;
      arrived.messages = merged(arrived, page.messages);
      return trimmedAtEnd(beginning(arrived, page.more_before));
    }
    case "newer": {
      if (asked !== undefined && timeline.messages.at(-1)?.seq !== asked) return arrived;
      arrived.messages = merged(arrived, page.messages);
      return trimmedAtStart({ ...arrived, moreAfter: endsEarly(arrived, page.more_after) });
    }
  }
}

/**
 * Whether a page was read before events that were never seen here, because a reset or a newer page took their place. It
 * may hold text that was removed since.
 * @param {Timeline} timeline
 * @param {MessagePage} page
 */
export function isOutdated(timeline, page) {
  return page.as_of < timeline.heard;
}

/**
 * Too much was missed: only the reset's page counts from now on.
 * @param {Timeline} timeline
 * @param {Reset} reset
 * @returns {Timeline}
 */
export function withReset(timeline, reset) {
  const messages = asOf(reset.messages, reset.as_of);
  const next = { ...fresh(timeline.room, reset.as_of), loading: timeline.loading, messages };
  next.newest = messages.at(-1)?.seq ?? 0;
  return beginning(next, reset.more);
}

/**
 * Something up to `head` exists that has not come.
 * @param {Timeline} timeline
 * @param {number} head
 */
export function withHead(timeline, head) {
  if (head <= timeline.last || timeline.gap !== null) return timeline;
  return { ...timeline, gap: { after: timeline.last } };
}

/**
 * The newest page, which need not meet the window.
 * @param {Timeline} timeline
 * @param {MessagePage} page
 */
function withNewest(timeline, page) {
  const first = page.more_before ? page.messages[0]?.seq ?? page.as_of + 1 : 1;
  const end = timeline.moreAfter ? timeline.messages.at(-1)?.seq ?? 0 : timeline.last;
  // Read before what the window begins with: there would be a hole between the two.
  if (page.as_of < timeline.since) return timeline;
  const beyond = first > end + 1;
  const within = first <= timeline.since + 1 && page.as_of >= timeline.last;
  if (beyond || within) return standing(timeline, page);
  const next = { ...timeline, messages: merged(timeline, page.messages) };
  next.moreAfter = endsEarly(next, page.more_after);
  return trimmedAtStart(first <= timeline.since ? beginning(next, page.more_before) : next);
}

/**
 * The page in place of the window. Rows beyond the page that the stream has yet to reach stay, because the stream
 * fills what lies between.
 * @param {Timeline} timeline
 * @param {MessagePage} page
 * @returns {Timeline}
 */
function standing(timeline, page) {
  const ahead = page.more_after ? [] : timeline.messages.filter(({ seq }) => seq > page.as_of && seq > timeline.last);
  const messages = merged({ ...timeline, messages: [] }, [...page.messages, ...ahead]);
  const next = { ...timeline, messages };
  next.moreAfter = endsEarly(next, page.more_after);
  // Everything in the window now is as of the page, so events up to there have nothing to add.
  if (page.as_of > timeline.last) Object.assign(next, { last: page.as_of, heard: page.as_of, gap: null });
  return beginning(next, page.more_before);
}

/**
 * @param {Timeline} timeline
 * @param {boolean} moreBefore whether there are messages before its first one
 */
function beginning(timeline, moreBefore) {
  const first = timeline.messages[0]?.seq ?? timeline.last + 1;
  return { ...timeline, moreBefore, since: moreBefore ? first - 1 : 0 };
}

/**
 * Whether newer messages than the window's last one exist. A page read before the latest post does not know of it.
 * @param {Timeline} timeline
 * @param {boolean} moreAfter
 */
function endsEarly({ messages, newest }, moreAfter) {
  return moreAfter || newest > (messages.at(-1)?.seq ?? 0);
}

/**
 * @param {Timeline} timeline changed in place
 * @param {Message} message
 */
function posted(timeline, message) {
  const known = timeline.messages.findLast(({ seq }) => seq <= message.seq)?.seq === message.seq;
  timeline.newest = Math.max(timeline.newest, message.seq);
  if (timeline.moreAfter && !known) return timeline;
  timeline.messages = merged(timeline, [message]);
  return trimmedAtStart(timeline);
}

/**
 * @param {Message[]} messages as a page has them
 * @param {number} seq what the page is as of
 * @returns {Known[]}
 */
const asOf = (messages, seq) => messages.map((message) => ({ ...message, known: seq }));

/** @param {Known} message */
const knownOf = (message) => message.known ?? message.seq;

/**
 * Something touched a message, which need not be in the window.
 * @param {Timeline} timeline changed in place
 * @param {Touch} touch
 */
function touched(timeline, touch) {
  const { target } = touch.event;
  const all = [...timeline.touches.get(target) ?? [], touch];
  timeline.touches = new Map(timeline.touches).set(target, all.slice(-TOUCHES));
  const [oldest] = timeline.touches.keys();
  const lost = timeline.touches.size > TOUCHED ? timeline.touches.get(oldest) ?? [] : all.slice(0, -TOUCHES);
  if (timeline.touches.size > TOUCHED) timeline.touches.delete(oldest);
  timeline.heard = Math.max(timeline.heard, ...lost.map(({ event }) => Math.max(event.seq, revOf(event))));
  const at = timeline.messages.findIndex(({ seq }) => seq === target);
  if (at >= 0) {
    const message = corrected(timeline.messages[at], [touch]);
    if (message !== timeline.messages[at]) timeline.messages = timeline.messages.with(at, message);
  }
  return timeline;
}

/** @param {TouchingEvent} event */
const revOf = (event) => ("rev" in event ? event.rev : 0);

/**
 * A message after what touched it.
 * @param {Known} message
 * @param {Touch[]} [touches]
 * @returns {Known}
 */
function corrected(message, touches = []) {
  return touches.reduce(
    (so, { event, mine }) => /** @type {any} */ (touching)[event.type](so, event, mine), message);
}

/**
 * @param {Known} message
 * @param {number} rev
 * @param {{ text: string, edited_at?: number, deleted?: boolean }} revision
 */
function revised(message, rev, { text, edited_at, deleted }) {
  if (rev <= message.rev) return message;
  const next = { ...message, rev, text };
  if (edited_at !== undefined) next.edited_at = edited_at;
  return deleted ? emptied(next) : next;
}

/**
 * A message after somebody reacted to it, or took that back: by then `count` people react with the emoji.
 * @param {Known} message
 * @param {Pick<MessageReacted, "emoji" | "on" | "count" | "by">} change
 * @param {boolean} mine
 * @returns {Known}
 */
function reacted({ reactions = [], ...message }, { emoji, on, count, by }, mine) {
  const at = reactions.findIndex((one) => one.emoji === emoji);
  const before = reactions[at] ?? { mine: false, users: [] };
  const others = before.users.filter(({ id }) => id !== by.id);
  const stays = !on || others.length < before.users.length;
  const users = (stays ? (on ? before.users : others) : [...others, by]).slice(0, Math.min(count, NAMED));
  const after = { emoji, count, mine: mine ? on : before.mine, users };
  const next = at < 0 ? [...reactions, after] : reactions.with(at, after);
  const left = next.filter((one) => one.count > 0);
  return left.length === 0 ? message : { ...message, reactions: left };
}

/** What is left of a message that was deleted. @param {Known} message @returns {Known} */
function emptied({ seq, n, at, by, rev, nonce, edited_at }) {
  const left = { seq, n, at, by, text: "", rev, nonce, deleted: true, known: Infinity };
  return edited_at === undefined ? left : { ...left, edited_at };
}

/**
 * Of two versions of a message: the text by the higher `rev`, all else by what is known further; the older object when
 * the other adds nothing.
 * @param {Known} older
 * @param {Known} newer
 * @returns {Known}
 */
function newest(older, newer) {
  const [text, rest] = [newer.rev > older.rev ? newer : older, knownOf(newer) > knownOf(older) ? newer : older];
  if (text === rest) return text;
  const { rev, edited_at, deleted } = text;
  return { ...rest, rev, text: text.text, ...(edited_at && { edited_at }), ...(deleted && { deleted }) };
}

/**
 * Both lists by `seq`; of two versions what each knows best, and the older object if nothing changed.
 * @param {Timeline} timeline
 * @param {Known[]} added
 */
function merged({ messages, touches }, added) {
  const last = messages.at(-1);
  if (added.length === 1 && (last === undefined || last.seq < added[0].seq)) {
    return [...messages, corrected(added[0], touches.get(added[0].seq))];
  }
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  for (const message of added) {
    const newer = corrected(message, touches.get(message.seq));
    const known = bySeq.get(message.seq);
    bySeq.set(message.seq, known === undefined ? newer : newest(known, newer));
  }
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

/** @param {Timeline} timeline */
function trimmedAtStart(timeline) {
  if (timeline.messages.length <= WINDOW) return timeline;
  // A quarter at once, so that a busy room does not copy and trim on every message.
  return beginning({ ...timeline, messages: timeline.messages.slice(-WINDOW * 0.75) }, true);
}

/** @param {Timeline} timeline */
function trimmedAtEnd(timeline) {
  if (timeline.messages.length <= WINDOW) return timeline;
  return { ...timeline, messages: timeline.messages.slice(0, WINDOW * 0.75), moreAfter: true };
}

/**
 * @param {MessagePosted} event
 * @returns {Message}
 */
function messageOf({ seq, n, at, by, text, rev, nonce, edited_at, deleted }) {
  /** @type {Message} */
  const message = { seq, n, at, by, text, rev, nonce };
  if (edited_at !== undefined) message.edited_at = edited_at;
  if (deleted) message.deleted = true;
  return message;
}
