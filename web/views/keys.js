// @ts-check
/** The keys that work everywhere. */

/** @import { RoomEntry } from "../types/state.d.ts" */
/** @import { RoomId } from "../types/protocol.d.ts" */
/** @import { Ui } from "./shell.js" */

import { unreadOf } from "./rooms.js";

/**
 * @param {Ui} ui
 * @param {() => RoomId | null} current which room is open
 */
export function listenForKeys(ui, current) {
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (isKey(event, "k")) {
      event.preventDefault();
      ui.ask("switcher");
    } else if (ui.dialog.value || ui.menu.value) {
      return;
    } else if (isKey(event, "/")) {
      event.preventDefault();
      ui.ask("keys");
    } else if (isKey(event, ".")) {
      event.preventDefault();
      ui.showDetails(!document.querySelector(".panel"));
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      walk(event, ui, current());
    } else if (event.key === "F6") {
      event.preventDefault();
      cycle(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      leaveOne(ui);
    } else {
      typeAnywhere(event, ui);
    }
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}

/**
 * @param {KeyboardEvent} event
 * @param {string} key
 */
function isKey(event, key) {
  return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === key;
}

/**
 * Alt with an arrow goes one room up or down; with Shift as well, to the next one with something new.
 * @param {KeyboardEvent} event
 * @param {Ui} ui
 * @param {RoomId | null} from
 */
function walk(event, ui, from) {
  const field = /** @type {HTMLTextAreaElement} */ (event.target);
  // There the same keys move through the words of what is written.
  if (navigator.platform.startsWith("Mac") && field.value) return;
  event.preventDefault();
  const all = [...ui.app.state.value.rooms.values()];
  const step = event.key === "ArrowUp" ? -1 : 1;
  const at = all.findIndex((entry) => entry.room.id === from);
  const stops = (/** @type {RoomEntry} */ entry) => !event.shiftKey || unreadOf(entry) > 0;
  for (let next = at + step; next >= 0 && next < all.length; next += step) {
    if (stops(all[next])) return ui.app.actions.navigate(`/rooms/${all[next].room.id}`);
  }
}

/** @param {1 | -1} step */
function cycle(step) {
  const regions = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-region]")]);
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const region = regions[(at + step + regions.length) % regions.length];
  const inside =
    /** @type {HTMLElement | null} */ (region?.querySelector("[aria-current=page], [tabindex='0'], textarea"));
  (inside ?? region)?.focus();
}

/**
 * Escape, when nothing is open over the room: first the details that lie over it, then to the end of the room.
 * @param {Ui} ui
 */
function leaveOne(ui) {
  if (ui.details.value && ui.slides.matches) ui.showDetails(false);
  else ui.toEnd?.();
}

/**
 * A letter typed while nothing takes letters belongs to the message.
 * @param {KeyboardEvent} event
 * @param {Ui} ui
 */
function typeAnywhere(event, ui) {
  const pastes = isKey(event, "v");
  if (!pastes && (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey)) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, textarea, select, [contenteditable], dialog")) return;
  if (event.key === " " && target.closest("button, a, [role=log]")) return;
  ui.writing?.focus();
}
