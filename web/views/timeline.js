// @ts-check
/** The messages of the open room: which of them are drawn, where the reader stands, what counts as seen. */

/** @import { Pending, RoomEntry, Timeline as Messages } from "../types/state.d.ts" */
/** @import { Message, User } from "../types/protocol.d.ts" */
/** @import { Ui } from "./shell.js" */

import { Component, createRef } from "../vendor/all.js";
import { Announcer, Day, Divider, Row, linesOf } from "./message.js";
import { unreadOf } from "./rooms.js";
import { Scroll, near } from "./scroll.js";
import { html } from "./parts.js";

/** Messages in the document at most, at the start, and added at an edge. */
const most = 250;
const atFirst = 120;
const step = 80;

/**
 * Where readers stood in rooms they left, so that Back finds the same lines.
 * @type {Map<string, { from: number, to: number | null, anchor: Scroll["anchor"] }>}
 */
const places = new Map();

/**
 * @typedef {object} Props
 * @property {Ui} ui
 * @property {RoomEntry} entry
 * @property {Messages | null} timeline
 * @property {Pending[]} pendings
 * @property {User} me
 * @property {number | null} seq The message a link leads to.
 * @property {{ room: string, seq: number } | null} editing
 * @property {(below: number | null) => void} onBelow Told what waits below the fold: null when one stands at the end.
 * @property {string} [key]
 */

/**
 * @typedef {object} Looks
 * @property {number} from The `seq` of the first message drawn.
 * @property {number | null} to The `seq` of the last one; null follows what comes in.
 * @property {string | null} hot The row whose tools show.
 * @property {string | null} tab The row where the Tab key stops; the last one when null.
 * @property {number | null} called The message a link led to.
 * @property {{ after: number, count: number, at: number } | null} divider Where the unread began.
 * @property {boolean} failed A page could not be fetched.
 */

/**
 * @param {Record<string, any>} one
 * @param {Record<string, any>} other
 */
const same = (one, other) => Object.keys(one).every((key) => one[key] === other[key]);

/** @extends {Component<Props, Looks>} */
export class Timeline extends Component {
  box = /** @type {{ current: HTMLElement | null }} */ (createRef());
  list = /** @type {{ current: HTMLElement | null }} */ (createRef());
  /** @type {Looks} */
  state = { from: 0, to: null, hot: null, tab: null, called: null, divider: null, failed: false };
  /** False until the reader was put somewhere. */
  placed = false;
  /** The message to go to as soon as it is there. */
  target = /** @type {number | null} */ (null);
  scroll = /** @type {Scroll} */ (/** @type {unknown} */ (null));
  announcer = new Announcer(this.props.ui);
  watched = new ResizeObserver(() => this.resized());

  componentDidMount() {
    const { entry, ui, seq } = this.props;
    const box = /** @type {HTMLElement} */ (this.box.current);
    this.scroll = new Scroll(box, /** @type {HTMLElement} */ (this.list.current));
    this.watched.observe(box);
    this.watched.observe(this.scroll.list);
    for (const kind of ["focus", "visibilitychange"]) addEventListener(kind, this.look, true);
    ui.toEnd = () => this.toEnd();
    if (seq !== null) this.called(seq);
    else this.fetchFirst();
    const unread = unreadOf(entry);
    // The update this causes puts the reader there; at once, they would be put somewhere as if nothing were unread.
    if (unread) this.setState({ divider: { after: entry.room.read.seq, count: unread, at: 0 } });
    else this.place();
  }

  componentWillUnmount() {
    const { ui, entry } = this.props;
    this.watched.disconnect();
    this.announcer.stop();
    for (const kind of ["focus", "visibilitychange"]) removeEventListener(kind, this.look, true);
    ui.toEnd = null;
    if (ui.editing.value?.room === entry.room.id) ui.editing.value = null;
    const { from, to } = this.state;
    if (this.scroll.stuck || !this.scroll.anchor) places.delete(entry.room.id);
    else places.set(entry.room.id, { from, to, anchor: this.scroll.anchor });
  }

  /**
   * Most changes of the state are elsewhere, such as in what is being written.
   * @param {Props} props
   * @param {Looks} state
   */
  shouldComponentUpdate(props, state) {
    return !same(props, this.props) || !same(state, this.state);
  }

  getSnapshotBeforeUpdate() {
    this.scroll.catchUp(this.live);
    return null;
  }

  /** @param {Props} before */
  componentDidUpdate(before) {
    const { timeline, seq, me } = this.props;
    if (before.seq !== seq) this.called(seq);
    if (!timeline && before.timeline) this.placed = false;
    if (!timeline) this.fetchFirst();
    const lost = this.hadFocus && !document.activeElement?.closest("[data-key], dialog, textarea, input, button, a");
    if (!this.placed || this.target !== null) this.place();
    else this.scroll.restore();
    if (lost) this.scroll.list.querySelector(/** @type {any} */ ("[tabindex='0']"))?.focus({ preventScroll: true });
    this.hadFocus = this.scroll.list.contains(document.activeElement);
    if (!timeline || timeline === before.timeline) return this.settle();
    if (before.timeline && !before.timeline.moreAfter && timeline.messages.length) {
      const last = before.timeline.last;
      this.announcer.add(timeline.messages.filter((one) => one.seq > last && one.by.id !== me.id && !one.deleted));
      if (timeline.last > last) this.divide();
    }
    return this.settle();
  }

  hadFocus = false;

  fetchFirst() {
    const { ui, entry, timeline } = this.props;
    if (timeline?.loading || (timeline && (timeline.messages.length || !timeline.moreBefore))) return;
    const { actions } = ui.app;
    const { room } = entry;
    // More is unread than a page holds: the reader starts where it begins, not at the end.
    if (this.target !== null) this.fetch(actions.loadAround(room.id, this.target));
    else if (unreadOf(entry) > 40 && room.read.seq > 0) this.fetch(actions.loadAround(room.id, room.read.seq));
    else this.fetch(actions.loadNewest(room.id));
  }

  /** @param {Promise<void>} page */
  fetch(page) {
    page.then(
      () => this.state.failed && this.setState({ failed: false }),
      () => this.setState({ failed: true }),
    );
  }

  /** The messages that are drawn. @returns {Message[]} */
  shown() {
    const messages = this.props.timeline?.messages ?? [];
    const { from, to } = this.state;
    const start = messages.findIndex((one) => one.seq >= from);
    const end = to === null ? messages.length : messages.findLastIndex((one) => one.seq <= to) + 1;
    return start < 0 ? [] : messages.slice(start, end);
  }

  /** Whether the last line drawn is the last one there is. */
  get live() {
    return this.state.to === null && !this.props.timeline?.moreAfter;
  }

  /** Puts the reader somewhere: at the message of the link, where they stood, where the unread begin, or at the end. */
  place() {
    const { timeline, entry } = this.props;
    const messages = timeline?.messages ?? [];
    if (!timeline || (!messages.length && timeline.loading)) return;
    const { target, scroll } = this;
    if (target !== null) return this.goTo(target, messages);
    const kept = places.get(entry.room.id);
    const divider = this.state.divider && this.dividerIn(messages);
    this.placed = true;
    if (kept && messages.some((one) => one.seq === kept.from)) {
      places.delete(entry.room.id);
      scroll.stuck = false;
      scroll.anchor = kept.anchor;
      this.setState({ from: kept.from, to: kept.to });
    } else if (divider) {
      const at = messages.indexOf(divider);
      const to = messages.length - at > atFirst ? messages[at + atFirst].seq : null;
      const from = messages[Math.max(0, at - 30)].seq;
      const line = { .../** @type {NonNullable<Looks["divider"]>} */ (this.state.divider), at: divider.at };
      this.setState({ from, to, divider: line }, () => {
        const row = /** @type {HTMLElement | null} */ (scroll.list.querySelector("[data-divider]"));
        if (row) scroll.show(row, 0.28);
        scroll.stuck = this.live && scroll.rest <= near;
        this.settle();
      });
    } else {
      scroll.stuck = true;
      this.setState({ from: messages.at(-atFirst)?.seq ?? 0, to: null });
    }
  }

  /**
   * @param {number} target
   * @param {Message[]} messages
   */
  goTo(target, messages) {
    const at = messages.findLastIndex((one) => one.seq <= target);
    const isLast = at === messages.length - 1;
    const reaches = at >= 0 && (messages[at].seq === target || !isLast || !this.props.timeline?.moreAfter);
    if (!reaches) return;
    this.target = null;
    this.placed = true;
    const last = messages[at + atFirst / 2];
    this.scroll.stuck = false;
    const from = messages[Math.max(0, at - atFirst / 2)].seq;
    this.setState({ from, to: last ? last.seq : null, called: messages[at].seq }, () => {
      const row = this.scroll.list.querySelector(`[data-seq="${messages[at].seq}"]`);
      if (row) this.scroll.show(/** @type {HTMLElement} */ (row), 0.4);
      this.settle();
    });
  }

  /** A link leads to another message, or to none. @param {number | null} seq */
  called(seq) {
    const { timeline, ui, entry } = this.props;
    if (seq === null) return this.toEnd();
    this.target = seq;
    const messages = timeline?.messages ?? [];
    const ends = !timeline?.moreAfter || seq <= (messages.at(-1)?.seq ?? 0);
    const inside = messages.length && seq >= messages[0].seq && ends;
    if (!inside) this.fetch(ui.app.actions.loadAround(entry.room.id, seq));
    return undefined;
  }

  /** Takes the reader to the newest message. */
  toEnd() {
    const { ui, entry, timeline } = this.props;
    this.target = null;
    this.setState({ called: null });
    const go = () => {
      this.scroll.stuck = true;
      this.placed = true;
      const messages = this.props.timeline?.messages ?? [];
      const divider = unreadOf(this.props.entry) ? this.state.divider : null;
      this.setState({ from: messages.at(-atFirst)?.seq ?? 0, to: null, divider }, () => {
        // A state equal to the one before updates nothing, so nothing else would scroll.
        this.scroll.restore();
        this.settle(true);
      });
    };
    if (timeline?.moreAfter) this.fetch(ui.app.actions.loadNewest(entry.room.id).then(go));
    else go();
  }

  /** The first unread message, when it is known which one that is. @param {Message[]} messages */
  dividerIn(messages) {
    const after = this.state.divider?.after ?? Infinity;
    const first = messages.find((one) => one.seq > after);
    const certain = messages.length > 0 && (messages[0].seq <= after || !this.props.timeline?.moreBefore);
    return certain ? first : undefined;
  }

  /** While nobody looks, the line before the unread goes to where they left. */
  divide() {
    const { entry } = this.props;
    const unread = unreadOf(entry);
    if (!unread || this.attentive()) return;
    const { divider } = this.state;
    const after = divider && divider.after >= entry.room.read.seq ? divider.after : entry.room.read.seq;
    const first = this.props.timeline?.messages.find((one) => one.seq > after);
    this.setState({ divider: { after, count: unread, at: first?.at ?? Date.now() } });
  }

  attentive() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  look = () => this.mark();

  onScroll = () => {
    this.scroll.moved(this.live);
    this.settle();
  };

  resized() {
    this.scroll.restore();
    this.settle();
  }

  /**
   * After whatever changed: what is at the edges, what was seen, what waits below.
   * @param {boolean} [asked] The reader asked to be here.
   */
  settle(asked) {
    if (!this.placed) return;
    this.reach();
    this.mark(asked);
    const below = this.scroll.stuck && this.live ? null : unreadOf(this.props.entry);
    const far = this.scroll.rest > this.scroll.box.clientHeight || !this.live;
    this.props.onBelow(below === 0 && !far ? null : below);
  }

  /** Draws or fetches more when the reader nears an edge, and lets go of what is far away. */
  reach() {
    const { timeline, ui, entry } = this.props;
    const messages = timeline?.messages ?? [];
    if (!timeline || !messages.length || timeline.loading || this.state.failed) return;
    const { scroll } = this;
    const ahead = Math.max(800, scroll.box.clientHeight);
    const shown = this.shown();
    const start = messages.indexOf(shown[0]);
    const end = start + shown.length;
    if (shown.length > most && scroll.stuck) {
      this.setState({ from: messages[messages.length - atFirst].seq });
    } else if (shown.length > most) {
      this.setState({ to: messages[start + most - 1].seq });
    } else if (scroll.box.scrollTop < ahead && start > 0) {
      const first = Math.max(0, start - step);
      const last = first + most < end ? messages[first + most - 1].seq : this.state.to;
      this.setState({ from: messages[first].seq, to: last });
    } else if (scroll.box.scrollTop < ahead && timeline.moreBefore) {
      this.fetch(ui.app.actions.loadOlder(entry.room.id));
    } else if (scroll.rest < ahead && end < messages.length) {
      const last = Math.min(messages.length, end + step);
      const to = last === messages.length ? null : messages[last - 1].seq;
      this.setState({ from: messages[Math.max(start, last - most)].seq, to });
    } else if (scroll.rest < ahead && timeline.moreAfter) {
      this.fetch(ui.app.actions.loadNewer(entry.room.id));
    }
  }

  /**
   * Tells what was seen: only what is on the screen of somebody who is looking.
   * @param {boolean} [now] Without waiting for more to be seen.
   */
  mark(now) {
    const { entry, ui, timeline } = this.props;
    if (!this.placed || !timeline || !this.attentive()) return;
    const { box, list } = this.scroll;
    const rows = list.children;
    for (let at = Math.min(rows.length - 1, this.scroll.rowBelow(box.scrollTop + box.clientHeight)); at >= 0; at--) {
      const row = /** @type {HTMLElement} */ (rows[at]);
      if (!row.dataset.seq || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight + near) continue;
      const seq = Number(row.dataset.seq);
      if (now || seq > entry.room.read.seq) ui.app.actions.markRead(entry.room.id, seq, now);
      return;
    }
  }

  /** @param {Event} event */
  onPoint = (event) => {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-key]"));
    const hot = row?.dataset.key ?? null;
    if (hot !== this.state.hot) this.setState({ hot });
  };

  /** @param {FocusEvent} event */
  onFocus = (event) => {
    this.onPoint(event);
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-key]"));
    this.hadFocus = Boolean(row);
    if (row && row.dataset.key !== this.state.tab) this.setState({ tab: row.dataset.key ?? null });
  };

  /** @param {FocusEvent} event */
  onBlur = (event) => {
    const inside = this.list.current?.contains(/** @type {Node | null} */ (event.relatedTarget));
    if (!inside) this.setState({ hot: null, tab: null });
    if (event.relatedTarget) this.hadFocus = false;
  };

  /** @param {KeyboardEvent} event */
  onKeyDown = (event) => {
    const row = /** @type {HTMLElement} */ (event.target);
    if (!row.dataset?.key || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = /** @type {HTMLElement[]} */ ([...this.scroll.list.querySelectorAll("[data-key]")]);
    const at = rows.indexOf(row);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= rows.length) return this.props.ui.writing?.focus();
    const next = rows[Math.max(0, to)];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };

  render() {
    const { ui, entry, timeline, pendings, me, editing } = this.props;
    const { hot, called, divider, failed } = this.state;
    const { words } = ui;
    const shown = this.shown();
    const first = divider && this.dividerIn(timeline?.messages ?? []);
    const line = first && divider && shown.includes(first) ? { ...divider, at: first.at } : null;
    const lines = linesOf(shown, this.live ? pendings : [], me, line);
    const keys = lines.flatMap((one) => (one.kind === "message" ? one.key : []));
    const tab = this.state.tab && keys.includes(this.state.tab) ? this.state.tab : keys[keys.length - 1];
    const begins = timeline !== null && !timeline.moreBefore && shown[0] === timeline.messages[0];
    return html`<div class="timeline" ref=${this.box} role="log" aria-live="off"
      aria-label=${words.timeline.title(entry.room.name)} data-region onScroll=${this.onScroll}>
      ${begins && html`<p class="timeline__beginning">${words.timeline.beginning(entry.room.name)}</p>`}
      ${!begins && html`<p class="timeline__more">${timeline?.loading ? words.timeline.loading : ""}</p>`}
      ${failed &&
        html`<p class="timeline__failed">
          <span>${words.timeline.failed}</span> <button type="button" class="button is-plain"
            onClick=${() => this.retry()}>${words.retry}</button>
        </p>`}
      <ol ref=${this.list} onPointerOver=${this.onPoint} onPointerLeave=${() => this.setState({ hot: null })}
        onFocusIn=${this.onFocus} onFocusOut=${this.onBlur} onKeyDown=${this.onKeyDown}>
        ${lines.map((one) => {
          if (one.kind === "day") return html`<${Day} key=${one.key} ui=${ui} at=${one.at} />`;
          if (one.kind === "new") return html`<${Divider} key=${one.key} ui=${ui} count=${one.count} at=${one.at} />`;
          const { key, by, at, first: leads, message, pending } = one;
          return html`<${Row} key=${key} id=${key} ui=${ui} room=${entry.room.id} by=${by} at=${at} first=${leads}
            message=${message} pending=${pending}
            mine=${by.id === me.id} may=${entry.room.may} tab=${key === tab} hot=${key === hot}
              called=${message !== null && message.seq === called}
            editing=${message !== null && editing?.room === entry.room.id && editing.seq === message.seq} />`;
        })}
      </ol>
    </div>`;
  }

  retry() {
    this.setState({ failed: false }, () => (this.props.timeline?.messages.length ? this.settle() : this.fetchFirst()));
  }
}
