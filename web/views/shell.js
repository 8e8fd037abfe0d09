// @ts-check
/** The whole window: which of its parts are there, and what lies over them. */

/** @import { App, State } from "../types/state.d.ts" */
/** @import { RoomId } from "../types/protocol.d.ts" */
/** @import { IconName } from "./parts.js" */

import { effect, render, signal, useEffect } from "../vendor/all.js";
import { Rooms, unreadOf } from "./rooms.js";
import { RoomPane } from "./room.js";
import { listenForKeys } from "./keys.js";
import { html, later } from "./parts.js";

/**
 * @typedef {{ room: RoomId | null, seq: number | null, page: "home" | "room" | "sign-in" | "setup" | "invite" }} Place
 * @typedef {{ text: string, action?: { name: string, run: () => void } }} Toast
 * @typedef {{
 *   name: string, icon?: IconName, sign?: string, run: (event?: Event) => void, keys?: string, danger?: boolean,
 *   apart?: boolean,
 * }} MenuItem `sign` is a character in place of an icon.
 * @typedef {{
 *   name: string, items: MenuItem[], x: number, y: number, back: HTMLElement | null, kind?: "settings",
 * }} Menu
 * @typedef {{ view: string, props?: Record<string, any> }} Dialog
 * @typedef {{ room: RoomId, focus: () => void, put: (text: string) => void }} Writing
 */

/** Where the details lie over the messages, so that they are there only when asked for. */
const slides = matchMedia("(width <= 1120px)");

/** What was chosen on this device, once something was. */
function keptDetails() {
  if (slides.matches) return false;
  const kept = localStorage.getItem("roomful.details");
  return kept ? kept === "open" : null;
}

/** What views share beyond the state: what is open, what was last said, where one writes. */
export class Ui {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.words = app.strings;
    this.toast = signal(/** @type {Toast | null} */ (null));
    this.dialog = signal(/** @type {Dialog | null} */ (null));
    this.menu = signal(/** @type {Menu | null} */ (null));
    this.editing = signal(/** @type {{ room: RoomId, seq: number } | null} */ (null));
    /** Whether the details are to be seen; null leaves it to the place there is. */
    this.details = signal(/** @type {boolean | null} */ (keptDetails()));
    this.spoken = signal("");
    this.narrow = signal(false);
    this.slides = slides;
    /** @type {Writing | null} */
    this.writing = null;
    /** Takes the open room to its end. @type {(() => void) | null} */
    this.toEnd = null;
  }

  /**
   * Says that something is done.
   * @param {string} text
   * @param {Toast["action"]} [action]
   */
  say(text, action) {
    this.toast.value = { text, action };
  }

  /**
   * @param {string} view
   * @param {Record<string, any>} [props]
   */
  ask(view, props) {
    this.menu.value = null;
    this.dialog.value = { view, props };
  }

  /**
   * Opens a menu below whatever was pressed, or at the pointer.
   * @param {MouseEvent} event
   * @param {string} name
   * @param {MenuItem[]} items
   * @param {Menu["kind"]} [kind]
   */
  offer(event, name, items, kind) {
    const back = /** @type {HTMLElement} */ (event.currentTarget);
    const pointed = event.type === "contextmenu" && (event.clientX > 0 || event.clientY > 0);
    const place = pointed ? { x: event.clientX, y: event.clientY } : placeBelow(back);
    this.menu.value = { name, items, kind, back, ...place };
  }

  /**
   * Opens a menu below an element of a message. The focus goes back to the message, because its tools go with the
   * pointer.
   * @param {HTMLElement} element
   * @param {string} name
   * @param {MenuItem[]} items
   */
  offerBelow(element, name, items) {
    const back = /** @type {HTMLElement | null} */ (element.closest("[data-key]")) ?? element;
    this.menu.value = { name, items, back, ...placeBelow(element) };
  }

  /** Code of this page cannot be fetched: most often because the server has a newer one. */
  broke() {
    this.dialog.value = null;
    this.menu.value = null;
    this.say(this.words.failedPart, { name: this.words.reload, run: () => location.reload() });
  }

  /** @param {boolean} open */
  showDetails(open) {
    this.details.value = open;
    if (!slides.matches) return localStorage.setItem("roomful.details", open ? "open" : "closed");
    if (!this.narrow.value) return undefined;
    // On a phone they are a page of their own, which Back closes.
    if (open) this.app.actions.navigate(`${location.pathname}#details`);
    else if (location.hash === "#details") history.back();
    return undefined;
  }

  /** @param {string} text */
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.say(this.words.done.copied);
    } catch {
      this.ask("copy", { text });
    }
  }
}

/** The place below an element, where it begins. @param {HTMLElement} element */
function placeBelow(element) {
  const box = element.getBoundingClientRect();
  const rtl = getComputedStyle(element).direction === "rtl";
  return { x: rtl ? box.right : box.left, y: box.bottom + 4 };
}

const Entry = later(() => import("./entry.js").then((all) => all.Entry), "entry");
const Overlay = later(() => import("./dialogs.js").then((all) => all.Overlay), "dialogs");
const MenuView = later(() => import("./menus.js").then((all) => all.MenuView));

/**
 * @param {string} path
 * @returns {Place}
 */
export function placeOf(path) {
  const [first = "", room, seq] = path.split("/").slice(1);
  if (first === "rooms" && room) {
    return { page: "room", room: decodeURIComponent(room), seq: /^\d+$/.test(seq ?? "") ? Number(seq) : null };
  }
  const page = first === "sign-in" || first === "setup" || first === "invite" ? first : "home";
  return { page, room: null, seq: null };
}

/**
 * Which room is open: the one in the address, else, where there is place for two panes, the one last open.
 * @param {State} state
 * @param {boolean} narrow
 * @returns {RoomId | null}
 */
function openRoomOf(state, narrow) {
  const { room } = placeOf(state.path);
  if (room) return room;
  if (narrow) return null;
  const last = localStorage.getItem("roomful.room");
  if (last && state.rooms.has(last)) return last;
  const all = [...state.rooms.values()];
  const lobby = all.find((entry) => entry.room.kind === "open" && entry.room.name.toLocaleLowerCase() === "lobby");
  return (lobby ?? all[0])?.room.id ?? null;
}

/**
 * Draws the application into `root` and keeps it up to date.
 * @param {HTMLElement} root
 * @param {App} app
 */
export function start(root, app) {
  const ui = new Ui(app);
  watchWindow(ui);
  effect(() => showInTab(app, ui.narrow.value));
  render(html`<${Shell} ui=${ui} />`, root);
}

/** @param {{ ui: Ui }} props */
function Shell({ ui }) {
  const state = ui.app.state.value;
  const place = placeOf(state.path);
  const home = Boolean(state.me) && place.page !== "invite";
  useEffect(() => {
    const entering = place.page === "sign-in" || place.page === "setup";
    if (state.me && entering) ui.app.actions.navigate("/", { replace: true });
  }, [state.me, place.page]);
  return html`
    ${home ? html`<${House} ui=${ui} state=${state} place=${place} />` : html`<${Entry} ui=${ui} place=${place} />`}
    <${Over} ui=${ui} />
  `;
}

/** @param {{ ui: Ui, state: State, place: Place }} props */
function House({ ui, state, place }) {
  const narrow = ui.narrow.value;
  const room = openRoomOf(state, narrow);
  useEffect(() => {
    if (room && state.rooms.has(room)) localStorage.setItem("roomful.room", room);
  }, [room]);
  useEffect(() => listenForKeys(ui, () => openRoomOf(ui.app.state.value, ui.narrow.value)), [ui]);
  const pane = room ? "room" : "list";
  return html`
    <a class="skip" href="#conversation" onClick=${(/** @type {Event} */ event) => skip(event, ui)}>${ui.words.skip}</a>
    <div class="house" data-pane=${pane}>
      ${!narrow && html`<${Rooms} ui=${ui} state=${state} current=${room} />`}
      ${narrow && pane === "list" &&
        html`<main class="alone" id="conversation" tabindex="-1" aria-label=${state.session.name}>
          <${Rooms} ui=${ui} state=${state} current=${room} alone />
        </main>`}
      ${(!narrow || pane === "room") &&
      html`<${RoomPane} key=${room ?? ""} ui=${ui} state=${state} id=${room} seq=${place.seq} />`}
    </div>
  `;
}

/**
 * @param {Event} event
 * @param {Ui} ui
 */
function skip(event, ui) {
  event.preventDefault();
  if (ui.writing) ui.writing.focus();
  else /** @type {HTMLElement | null} */ (document.querySelector(".pane"))?.focus();
}

/** What lies over the panes. @param {{ ui: Ui }} props */
function Over({ ui }) {
  const dialog = ui.dialog.value;
  const menu = ui.menu.value;
  return html`
    ${dialog && html`<${Overlay} ui=${ui} dialog=${dialog} />`}
    ${menu && html`<${MenuView} ui=${ui} menu=${menu} />`}
    <div class="toasts" role="status"><${ToastLine} ui=${ui} /></div>
    <div class="unseen" role="status" aria-live="polite" data-spoken>${ui.spoken.value}</div>
  `;
}

/** @param {{ ui: Ui }} props */
function ToastLine({ ui }) {
  const toast = ui.toast.value;
  useEffect(() => {
    if (!toast) return undefined;
    const timer = setTimeout(() => (ui.toast.value = null), 6000);
    return () => clearTimeout(timer);
  }, [toast]);
  if (!toast) return null;
  const act = () => {
    ui.toast.value = null;
    toast.action?.run();
  };
  return html`<div class="toast">
    <span>${toast.text}</span>
    ${toast.action && html`<button type="button" class="button is-soft" onClick=${act}>${toast.action.name}</button>`}
  </div>`;
}

/**
 * Keeps up with the size of the window and with what a screen keyboard leaves of it.
 * @param {Ui} ui
 */
function watchWindow(ui) {
  const phone = matchMedia("(width <= 720px)");
  const look = () => {
    ui.narrow.value = phone.matches;
    if (phone.matches) ui.details.value = false;
  };
  phone.addEventListener("change", look);
  slides.addEventListener("change", () => (ui.details.value = keptDetails()));
  look();
  addEventListener("popstate", () => {
    if (ui.narrow.value && location.hash !== "#details") ui.details.value = false;
  });
  const view = window.visualViewport;
  if (!view) return;
  // WebKit ignores interactive-widget: without this the keyboard would cover the composer.
  const fit = () => {
    const covered = view.scale === 1 && window.innerHeight - view.height > 80;
    document.documentElement.style.setProperty("--seen", covered ? `${view.height}px` : "100dvh");
    if (covered) window.scrollTo(0, 0);
  };
  view.addEventListener("resize", fit);
}

/**
 * The title and the icon of the browser's tab.
 * @param {App} app
 * @param {boolean} narrow
 */
function showInTab(app, narrow) {
  const state = app.state.value;
  let unread = 0;
  for (const entry of state.rooms.values()) unread += unreadOf(entry);
  const open = openRoomOf(state, narrow);
  const name = (state.me && open && state.rooms.get(open)?.room.name) || null;
  const title = app.strings.title(unread, name, state.session.name);
  if (document.title !== title) document.title = title;
  const link = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=icon]"));
  const href = tabIcon(unread > 0);
  if (link && link.getAttribute("href") !== href) link.setAttribute("href", href);
}

/**
 * People in a doorway: pale, or lit and with a dot when something waits.
 * @param {boolean} lit
 */
function tabIcon(lit) {
  const dot = lit ? '<circle cx="25.500" cy="6.500" r="6" fill="#f4b942" stroke="#102022" stroke-width="2"/>' : "";
  const drawing =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0e5a63"/>' +
    '<path d="M7 26h18l4 4.900A7 7 0 0 1 25 32H7a7 7 0 0 1-4-1.100z" fill="#3f7f82"/>' +
    `<path d="M7 26V13.500a9 9 0 0 1 18 0V26z" fill="${lit ? "#f4b942" : "#f7efdd"}"/>` +
    '<path d="M16 9.800a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7z' +
    'M10.200 26v-2.200a5.800 5.800 0 0 1 11.600 0V26z" fill="#0b3f46"/>' +
    `${dot}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}
