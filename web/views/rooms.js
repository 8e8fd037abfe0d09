// @ts-check
/** The wall beside the room: whose house this is, its rooms, and oneself. */

/** @import { RoomEntry, State } from "../types/state.d.ts" */
/** @import { RoomId } from "../types/protocol.d.ts" */
/** @import { MenuItem, Ui } from "./shell.js" */

import { Avatar, Door, Icon, Mark, Tool, html, still } from "./parts.js";

/**
 * How many messages of a room one has not read.
 * @param {RoomEntry} entry
 */
export function unreadOf({ room, leftBy }) {
  return leftBy === undefined ? Math.max(0, room.n - room.read.n) : 0;
}

/** Whether I may open a room of any kind. @param {State} state */
export const mayOpen = ({ may }) => may.includes("open_room") || may.includes("open_closed");

/**
 * @param {{ ui: Ui, state: State, current: RoomId | null, alone?: boolean }} props
 *   `alone`: nothing else is on the screen.
 */
export function Rooms({ ui, state, current, alone }) {
  const { words } = ui;
  return html`<nav class="sidebar" aria-label=${words.rooms.title} data-region>
    <div class="sidebar__house">
      <${Mark} />
      <${alone ? "h1" : "span"} class="sidebar__name cut">${state.session.name}<//>
    </div>
    <button type="button" class="jump" onClick=${() => ui.ask("switcher")}>
      <${Icon} name="search" size="small" />
      <span class="grow">${words.rooms.jump}</span>
      <kbd class="key">${words.keys.switcher}</kbd>
    </button>
    <div class="sidebar__lists">
      <div class="section">
        <h2>${words.rooms.title}</h2>
        <${Tool} icon="plus" name=${words.rooms.add} look="is-small" aria-haspopup="menu"
          press=${(/** @type {MouseEvent} */ event) => offerNew(event, ui)} />
      </div>
      <${List} ui=${ui} rooms=${state.rooms} drafts=${state.drafts} current=${current} known=${state.epoch !== null} />
    </div>
    ${state.newBuild && html`<${NewBuild} ui=${ui} />`}
    <${Me} ui=${ui} state=${state} />
  </nav>`;
}

/**
 * @param {MouseEvent} event
 * @param {Ui} ui
 */
function offerNew(event, ui) {
  /** @type {MenuItem} */
  const open = { name: ui.words.rooms.open, icon: "plus", run: () => ui.ask("open") };
  /** @type {MenuItem} */
  const find = { name: ui.words.rooms.find, icon: "search", run: () => ui.ask("find") };
  ui.offer(event, ui.words.rooms.add, mayOpen(ui.app.state.value) ? [open, find] : [find]);
}

/** @param {{ ui: Ui, rooms: State["rooms"], drafts: State["drafts"], current: RoomId | null, known: boolean }} props */
function List({ ui, rooms, drafts, current, known }) {
  if (!rooms.size) {
    return known
      ? html`<p class="sidebar__none">
        ${ui.words.rooms.none} <button type="button" class="link" onClick=${() => ui.ask("find")}>${ui.words.rooms.find}
      </button>
      </p>`
      : html`<ul class="sidebar__waiting" aria-hidden="true"><li></li><li></li><li></li></ul>`;
  }
  return html`<ul>
    ${[...rooms.values()].map(
      (entry) =>
        html`<${Row} key=${entry.room.id} ui=${ui} entry=${entry} draft=${drafts.has(entry.room.id)}
          current=${entry.room.id === current} />`,
    )}
  </ul>`;
}

const Row = still(
  /** @param {{ ui: Ui, entry: RoomEntry, draft: boolean, current: boolean, key?: string }} props */
  ({ ui, entry, draft, current }) => {
    const { room } = entry;
    const unread = unreadOf(entry) > 0;
    const path = `/rooms/${room.id}`;
    return html`<li>
      <a class="row${unread ? " is-unread" : ""}" href=${path} aria-current=${current ? "page" : undefined}
        onClick=${(/** @type {MouseEvent} */ event) => go(event, ui, path)}>
        <${Door} kind=${room.kind} />
        <span class="cut grow">${room.name}</span>
        ${room.kind === "closed" && html`<span class="unseen">${ui.words.rooms.closed}</span>`}
        ${unread && html`<span class="unseen">${ui.words.rooms.unread(unreadOf(entry))}</span>`}
        ${draft && !current &&
          html`<span class="row__aside" title=${ui.words.rooms.draft}><${Icon} name="edit" size="small" />
            <span class="unseen">${ui.words.rooms.draft}</span>
          </span>`}
      </a>
    </li>`;
  },
);

/**
 * Follows a link of our own without a load; one that is to open elsewhere is left to the browser.
 * @param {MouseEvent} event
 * @param {Ui} ui
 * @param {string} path
 */
export function go(event, ui, path) {
  const held = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (event.defaultPrevented || event.button !== 0 || held) return;
  event.preventDefault();
  ui.app.actions.navigate(path);
}

/** @param {{ ui: Ui }} props */
function NewBuild({ ui }) {
  return html`<div class="newer" role="status">
    <span>${ui.words.newBuild}</span>
    <button type="button" class="button is-soft" onClick=${() => location.reload()}>${ui.words.reload}</button>
  </div>`;
}

/** @param {{ ui: Ui, state: State }} props */
function Me({ ui, state }) {
  const { me, connection } = state;
  const { words } = ui;
  if (!me) return null;
  const here = connection.status === "open";
  const lost = connection.lostAt === null ? words.me.connecting : words.me.away;
  const status = !here ? lost : me.guest ? words.me.guest : words.me.here;
  return html`<div class="me">
    <${Avatar} user=${me} size=${30} presence=${here ? "here" : "away"} />
    <span class="me__who grow"><span class="cut">${me.name}</span><small>${status}</small></span>
    <${Tool} icon="settings" name=${words.me.settings} aria-haspopup="menu"
      press=${(/** @type {MouseEvent} */ event) => ui.offer(event, words.me.settings, [], "settings")} />
  </div>`;
}
