// @ts-check
/**
 * One room's messages as far as they are known: a window without holes, kept right by events, pages and resets that
 * arrive in any mixture. Pure: every function gives a new timeline or the very one it was given.
 *
 * crates/client/src/timeline.rs does the same; both run crates/protocol/fixtures/timelines.
 *
 * @import { Event, Message, MessagePage, MessagePosted, Reset, RoomId } from "../types/protocol.d.ts"
 * @import { Loading, Revision, Timeline } from "../types/state.d.ts"
 */

/** The most messages a window holds; the far end goes first, and can be loaded again. */
const WINDOW = 2000;
/** Enough to correct the pages that can be under way at once. */
const REVISIONS = 1000;

/**
 * A timeline that has seen nothing yet and goes on from `last`.
 * @param {RoomId} room
 * @param {number} last
 * @returns {Timeline}
 */
export function fresh(room, last) {
  return {
    room, last, messages: [], moreBefore: last > 0, moreAfter: false, loading: null, gap: null,
    revisions: new Map(), heard: last, since: last, newest: 0,
  };
}

/**
 * What a durable event makes of it: applied when it is the next one, ignored when it is known, a gap when one between
 * is missing.
 * @param {Timeline} timeline
 * @param {Event} event
 * @returns {Timeline}
 */
export function withEvent(timeline, event) {
  if (event.seq <= timeline.last) return timeline;
  if (event.seq > timeline.last + 1) {
    return timeline.gap === null ? { ...timeline, gap: { after: timeline.last } } : timeline;
  }
  const next = { ...timeline, last: event.seq, gap: null };
  const applied = /** @type {any} */ (events)[event.type];
  return applied === undefined ? next : applied(next, event);
}

/** @param {Timeline} timeline */
const withoutRow = (timeline) => timeline;

/**
 * What each durable event makes of a timeline that has come to it and may be changed in place.
 * @type {{
 *   [T in Exclude<Event["type"], "unknown">]: (timeline: Timeline, event: Extract<Event, { type: T }>) => Timeline
 * }}
 */
export const events = {
  message_posted: (timeline, event) => posted(timeline, messageOf(event)),
  message_edited: (timeline, { target, rev, text, edited_at, deleted }) =>
    revised(timeline, target, { rev, text, edited_at, deleted }),
  message_deleted: (timeline, { target, rev }) => revised(timeline, target, { rev, text: "", deleted: true }),
  member_joined: withoutRow,
  member_left: withoutRow,
};

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
export function withPage(timeline, request, page, asked) {
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
  const messages = reset.messages;
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
 * @param {Timeline} timeline changed in place
 * @param {number} target
 * @param {Revision} revision
 */
function revised(timeline, target, revision) {
  const revisions = new Map(timeline.revisions);
  if ((revisions.get(target)?.rev ?? 0) < revision.rev) revisions.set(target, revision);
  for (const [seq, { rev }] of revisions) {
    if (revisions.size <= REVISIONS) break;
    revisions.delete(seq);
    timeline.heard = Math.max(timeline.heard, rev);
  }
  timeline.revisions = revisions;
  const at = timeline.messages.findIndex(({ seq }) => seq === target);
  if (at >= 0) {
    const message = corrected(timeline.messages[at], revision);
    if (message !== timeline.messages[at]) timeline.messages = timeline.messages.with(at, message);
  }
  return timeline;
}

/**
 * @param {Message} message
 * @param {Revision | undefined} revision
 * @returns {Message}
 */
function corrected(message, revision) {
  if (revision === undefined || revision.rev <= message.rev) return message;
  const next = { ...message, rev: revision.rev, text: revision.text };
  if (revision.edited_at !== undefined) next.edited_at = revision.edited_at;
  if (revision.deleted) next.deleted = true;
  return next;
}

/**
 * Both lists by `seq`; of two versions the one with the higher `rev`, and the older object if nothing changed.
 * @param {Timeline} timeline
 * @param {Message[]} added
 */
function merged({ messages, revisions }, added) {
  const last = messages.at(-1);
  if (added.length === 1 && (last === undefined || last.seq < added[0].seq)) {
    return [...messages, corrected(added[0], revisions.get(added[0].seq))];
  }
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  for (const message of added) {
    const newer = corrected(message, revisions.get(message.seq));
    const known = bySeq.get(message.seq);
    if (known === undefined || newer.rev > known.rev) bySeq.set(message.seq, newer);
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
