// @ts-check
/** One message, sent or not yet: how it looks, what can be done with it, and how messages group. */

/** @import { Pending } from "../types/state.d.ts" */
/** @import { Message, RoomRight, User } from "../types/protocol.d.ts" */
/** @import { MenuItem, Ui } from "./shell.js" */

import { Avatar, Icon, html, later, still } from "./parts.js";

const Reactions = later(() => import("./reactions.js").then((all) => all.Reactions));
const EditForm = later(() => import("./edit.js").then((all) => all.EditForm));

/** Messages of one author stand together while less than this lies between them. */
const together = 5 * 60 * 1000;

/**
 * @typedef {{ kind: "day", key: string, at: number }
 *   | { kind: "new", key: string, count: number, at: number }
 *   | { kind: "message", key: string, by: User, at: number, first: boolean, message: Message | null,
 *     pending: Pending | null }} Line
 */

/**
 * What the timeline shows, in order: messages, what is on its way, days, and where the unread begin.
 * @param {Message[]} messages
 * @param {Pending[]} pendings
 * @param {User} me
 * @param {{ after: number, count: number, at: number } | null} divider
 * @returns {Line[]}
 */
export function linesOf(messages, pendings, me, divider) {
  /** @type {Line[]} */
  const lines = [];
  let day = "";
  /** @type {{ by: string, at: number } | null} */
  let before = null;
  let divided = divider === null;
  /** @type {(at: number) => void} */
  const turn = (at) => {
    const date = new Date(at).toDateString();
    if (date === day) return;
    day = date;
    before = null;
    lines.push({ kind: "day", key: `day ${date}`, at });
  };
  /** @type {(by: User, at: number, nonce: string, message: Message | null, pending: Pending | null) => void} */
  const add = (by, at, nonce, message, pending) => {
    const first = !before || before.by !== by.id || at - before.at > together;
    before = { by: by.id, at };
    // The same name before and after it has a place: the row stays where it is when the message is sent.
    lines.push({ kind: "message", key: `${by.id} ${nonce}`, by, at, first, message, pending });
  };
  for (const message of messages) {
    turn(message.at);
    if (!divided && divider && message.seq > divider.after) {
      divided = true;
      before = null;
      lines.push({ kind: "new", key: "new", count: divider.count, at: divider.at });
    }
    add(message.by, message.at, message.nonce, message, null);
  }
  for (const pending of pendings) {
    turn(pending.at);
    add(me, pending.at, pending.nonce, null, pending);
  }
  return lines;
}

/** @param {{ ui: Ui, at: number }} props */
export function Day({ ui, at }) {
  return html`<li class="day"><span>${ui.words.day(at)}</span></li>`;
}

/** @param {{ ui: Ui, count: number, at: number }} props */
export function Divider({ ui, count, at }) {
  return html`<li class="divider" data-divider><span>${ui.words.timeline.divider(count, at)}</span></li>`;
}

/**
 * What one may do with a message: the same under the pointer, in the menu and by key.
 * @param {Ui} ui
 * @param {string} room
 * @param {Message} message
 * @param {{ mine: boolean, may: RoomRight[] }} rights
 * @returns {MenuItem[]}
 */
export function actionsOf(ui, room, message, { mine, may }) {
  const { words } = ui;
  /** @type {MenuItem[]} */
  const items = [];
  if (may.includes("react") && !message.deleted) {
    const run = (/** @type {Event | undefined} */ event) => addReaction(ui, room, message, event);
    items.push({ name: words.reactions.add, icon: "smile", keys: "+", run });
  }
  if (!message.deleted) {
    items.push({ name: words.message.copyText, icon: "copy", run: () => void ui.copy(message.text) });
  }
  const link = `${location.origin}/rooms/${room}/${message.seq}`;
  items.push({ name: words.message.copyLink, icon: "link", run: () => void ui.copy(link) });
  if (mine && !message.deleted) {
    const run = () => (ui.editing.value = { room, seq: message.seq });
    items.push({ name: words.message.edit, icon: "edit", keys: "E", run });
  }
  if ((mine || may.includes("delete_any")) && !message.deleted) {
    const run = () => askToRemove(ui, room, message);
    items.push({ name: words.message.remove, icon: "bin", danger: true, apart: true, run });
  }
  return items;
}

/**
 * Offers emoji below what was pressed, or below the message.
 * @param {Ui} ui
 * @param {string} room
 * @param {Message} message
 * @param {Event} [event]
 */
function addReaction(ui, room, message, event) {
  // Before anything is waited for: an event forgets where it was heard.
  const below = event?.currentTarget ?? document.querySelector(`[data-seq="${message.seq}"]`);
  import("./reactions.js").then(
    (all) => all.offerReactions(ui, /** @type {HTMLElement} */ (below), room, message),
    () => ui.broke(),
  );
}

/**
 * @param {Ui} ui
 * @param {string} room
 * @param {Message} message
 */
export function askToRemove(ui, room, message) {
  const mine = message.by.id === ui.app.state.value.me?.id;
  ui.ask("confirm", {
    title: ui.words.confirm.removeMessage,
    text: mine ? ui.words.confirm.removeMine : ui.words.confirm.removeTheirs(message.by.name),
    keep: ui.words.confirm.keepIt,
    yes: ui.words.message.remove,
    run: () => ui.app.actions.ask({ type: "delete_message", room, seq: message.seq }),
  });
}

/**
 * @typedef {object} RowProps
 * @property {Ui} ui
 * @property {string} room
 * @property {Extract<Line, { kind: "message" }>["message"]} message
 * @property {Pending | null} pending
 * @property {string} id
 * @property {User} by
 * @property {number} at
 * @property {boolean} first
 * @property {boolean} mine
 * @property {RoomRight[]} may What I may do in the room.
 * @property {boolean} tab Whether the Tab key stops here.
 * @property {boolean} hot Whether its tools show.
 * @property {boolean} editing
 * @property {boolean} called Whether a link led here.
 * @property {string} [key]
 */

export const Row = still(
  /** @param {RowProps} props */
  (props) => {
    const { ui, room, message, pending, id, by, first, may, tab, hot, editing, called } = props;
    const gone = Boolean(message?.deleted);
    const states = [first && "is-first", pending && `is-${pending.state}`, gone && "is-gone", called && "is-called"];
    const key = id.replaceAll(" ", "-");
    return html`<li
      class=${["message", ...states].filter(Boolean).join(" ")}
      data-key=${id}
      data-seq=${message?.seq}
      tabindex=${tab ? 0 : -1}
      aria-labelledby=${`by-${key} text-${key} margin-${key}`}
      onContextMenu=${message && ((/** @type {MouseEvent} */ event) => openMenu(event, props, message))}
      onKeyDown=${message && ((/** @type {KeyboardEvent} */ event) => pressOn(event, props, message))}
    >
      ${first && html`<${Avatar} user=${by} />`}
      <div class="message__body">
        <p class=${first ? "message__by" : "unseen"} id=${`by-${key}`}><b dir="auto">${by.name}</b>
          ${by.guest && first && html` <span class="message__guest">${ui.words.guest}</span>`}
        </p>
        ${editing && message
          ? html`<${EditForm} ui=${ui} room=${room} message=${message} />`
          : html`<p class="message__text" dir="auto" id=${`text-${key}`}>
            ${gone ? ui.words.message.gone : linked(message?.text ?? pending?.text ?? "")}
          </p>`}
        ${message?.reactions &&
          html`<${Reactions} ui=${ui} room=${room} message=${message} may=${may} tab=${tab} />`}
        ${pending && html`<${Fate} ui=${ui} pending=${pending} />`}
      </div>
      <${Margin} ui=${ui} id=${`margin-${key}`} message=${message} pending=${pending} />
      ${hot && !editing && message && html`<${Tools} ...${props} />`}
    </li>`;
  },
);

/** @param {RowProps} props */
function Tools({ ui, room, message, mine, may }) {
  if (!message) return null;
  const items = actionsOf(ui, room, message, { mine, may });
  return html`<div class="tools" role="toolbar" aria-label=${ui.words.message.actions}>
    ${items.map(
      ({ name, icon, run }) =>
        html`<button type="button" class="tool" aria-label=${name} title=${name} onClick=${run}>
          <${Icon} name=${icon} />
        </button>`,
    )}
  </div>`;
}

/**
 * @param {MouseEvent | KeyboardEvent} event
 * @param {RowProps} props
 * @param {Message} message
 */
function openMenu(event, { ui, room, mine, may, editing }, message) {
  const target = /** @type {Element} */ (event.target);
  // Links and marked text have a menu of the browser's own.
  if (editing || target.closest("a") || String(getSelection() ?? "").trim()) return;
  event.preventDefault();
  ui.offer(/** @type {MouseEvent} */ (event), ui.words.message.actions,
    actionsOf(ui, room, message, { mine, may }));
}

/**
 * @param {KeyboardEvent} event
 * @param {RowProps} props
 * @param {Message} message
 */
function pressOn(event, props, message) {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const { ui, room, mine, may } = props;
  const key = event.key.toLowerCase();
  const item = actionsOf(ui, room, message, { mine, may }).find(({ keys }) => keys?.toLowerCase() === key);
  if (item) {
    event.preventDefault();
    item.run(event);
  } else if (event.key === "Delete" && (mine || may.includes("delete_any")) && !message.deleted) {
    event.preventDefault();
    askToRemove(ui, room, message);
  } else if (event.key === "Enter" || event.key === "ContextMenu") {
    openMenu(event, props, message);
  }
}

/**
 * When it was said; in place of that, where it is on its way.
 * @param {{ ui: Ui, id: string, message: Message | null, pending: Pending | null }} props
 */
function Margin({ ui, id, message, pending }) {
  const { words } = ui;
  if (message) {
    return html`<div class="message__margin" id=${id}>
      <time datetime=${new Date(message.at).toISOString()} title=${words.moment(message.at)}>
        ${words.time(message.at)}
      </time>
      ${message.edited_at && !message.deleted &&
        html`<span title=${words.message.editedAt(message.edited_at)}>${words.message.edited}</span>`}
    </div>`;
  }
  const goes = pending && pending.state !== "failed";
  const text = goes ? words.message[pending.state === "waiting" ? "waiting" : "sending"] : "";
  return html`<div class="message__margin" id=${id}>
    ${text && html`<span class="message__state"><${Icon} name="clock" size="small" /><span>${text}</span></span>`}
  </div>`;
}

/** What became of a message that is not sent. @param {{ ui: Ui, pending: Pending }} props */
function Fate({ ui, pending }) {
  const { words, app } = ui;
  if (pending.state === "unsure") return html`<p class="message__fate">${words.message.unsure}</p>`;
  if (pending.state !== "failed") return null;
  const why = pending.error ? words.refusal(pending.error) : "";
  const edit = () => ui.writing?.put(app.actions.discard(pending.nonce));
  const discard = () => {
    const text = app.actions.discard(pending.nonce);
    ui.say(words.done.discarded, { name: words.undo, run: () => ui.writing?.put(text) });
  };
  return html`<p class="message__fate is-bad" role="group" aria-label=${words.message.failedGroup}>
    <span><${Icon} name="alert" size="small" />${words.message.failed(why)}</span>
    <button type="button" class="link" onClick=${() => app.actions.retry(pending.nonce)}>${words.retry}</button>
    <button type="button" class="link" onClick=${edit}>${words.message.editShort}</button>
    <button type="button" class="link" onClick=${discard}>${words.message.discard}</button>
  </p>`;
}

const address = /https?:\/\/[^\s<>"'`]*[^\s<>"'`.,:;!?)\]}]/giu;

/**
 * Text with its addresses as links.
 * @param {string} text
 */
function linked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(address)) {
    parts.push(text.slice(from, match.index));
    parts.push(html`<a href=${match[0]} target="_blank" rel="noopener noreferrer nofollow">${match[0]}</a>`);
    from = match.index + match[0].length;
  }
  return parts.length ? [...parts, text.slice(from)] : text;
}

/** Says new messages to those who listen: each by itself, or their number when they come too fast to listen to. */
export class Announcer {
  /** @param {Ui} ui */
  constructor(ui) {
    this.ui = ui;
    /** @type {Message[]} */
    this.waiting = [];
    this.timer = 0;
  }

  /** @param {Message[]} messages */
  add(messages) {
    this.waiting.push(...messages);
    if (messages.length && !this.timer) this.timer = window.setTimeout(() => this.say(), 150);
  }

  say() {
    const { waiting, ui } = this;
    this.waiting = [];
    this.timer = waiting.length ? window.setTimeout(() => this.say(), 1000) : 0;
    if (!waiting.length) return;
    const { said, saidMany } = ui.words.timeline;
    ui.spoken.value = waiting.length > 5
      ? saidMany(waiting.length)
      : waiting.map((one) => said(one.by.name, one.text)).join("\n");
  }

  stop() {
    clearTimeout(this.timer);
    this.ui.spoken.value = "";
  }
}
