// @ts-check
/** Where one writes. Never disabled: what cannot be sent now waits. */

/** @import { Room } from "../types/protocol.d.ts" */
/** @import { Ui } from "./shell.js" */

import { useLayoutEffect, useRef, useState } from "../vendor/all.js";
import { Icon, html } from "./parts.js";

/** A field with one line in it is lower than this, in pixels. */
const oneLine = 64;
const grows = CSS.supports("field-sizing", "content");
/** Keyboards on glass have no Shift to hold: there Enter breaks the line. */
const glass = matchMedia("(hover: none) and (pointer: coarse)");

/**
 * How long a text is, as the server counts: in code points.
 * @param {string} text
 */
function lengthOf(text) {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** @param {HTMLTextAreaElement} field */
function fit(field) {
  if (grows) return;
  field.style.blockSize = "auto";
  field.style.blockSize = `${field.scrollHeight}px`;
}

/**
 * The field and what happens to what is written in it.
 * @param {Ui} ui
 * @param {Room} room
 * @param {string} draft
 * @param {number} limit
 */
function useWriting(ui, room, draft, limit) {
  const { actions } = ui.app;
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [length, setLength] = useState(() => lengthOf(draft));
  // As short a text was too long for one line beside the button; below it there is more place, so it alone cannot tell.
  const [tallFrom, setTallFrom] = useState(Infinity);
  const tall = length >= tallFrom;
  const area = () => /** @type {HTMLTextAreaElement} */ (field.current);
  const keep = () => {
    fit(area());
    setLength(lengthOf(area().value));
    actions.setDraft(room.id, area().value);
  };
  /** @param {string} text */
  const write = (text) => {
    area().value = text;
    keep();
    area().focus();
  };
  const send = () => {
    const text = area().value.trim();
    if (!text || lengthOf(text) > limit) return;
    actions.post(room.id, text);
    write("");
    ui.toEnd?.();
  };
  // Before the next key is pressed: what is typed right after a switch belongs to the new room.
  useLayoutEffect(() => {
    const mine = {
      room: room.id,
      focus: () => area().focus(),
      // What is taken back goes before what was written since.
      put: (/** @type {string} */ text) => write(area().value ? `${text}\n${area().value}` : text),
    };
    ui.writing = mine;
    fit(area());
    if (!glass.matches && !document.querySelector("dialog[open]")) area().focus({ preventScroll: true });
    return () => {
      if (ui.writing === mine) ui.writing = null;
    };
  }, [room.id]);
  useLayoutEffect(() => {
    fit(area());
    if (length && !tall && area().offsetHeight > oneLine) setTallFrom(length);
  }, [length, tall]);
  return { field, length, tall, keep, send };
}

/** @param {{ ui: Ui, room: Room, draft: string, limit: number, empty: boolean }} props */
export function Composer({ ui, room, draft, limit, empty }) {
  const { words } = ui;
  const { field, length, tall, keep, send } = useWriting(ui, room, draft, limit);
  const left = limit - length;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    send();
  };
  return html`<form class="composer${tall ? " is-tall" : ""}" onSubmit=${submit}>
    <textarea
      ref=${field}
      rows="1"
      dir="auto"
      aria-label=${words.composer.label(room.name)}
      placeholder=${empty ? words.composer.first : words.composer.label(room.name)}
      aria-describedby="composer-left"
      enterkeyhint=${glass.matches ? "enter" : "send"}
      defaultValue=${draft}
      onInput=${keep}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => press(event, ui, room, send)}
    ></textarea>
    <div class="composer__bar">
      <span class="composer__left figures${left < 0 ? " is-over" : ""}" id="composer-left" role="status">
        ${left < Math.min(200, limit / 5) ? words.composer.left(left) : ""}
      </span>
      <span class="composer__hint" aria-hidden="true"><kbd class="key">${words.keys.enter}</kbd> ${words.composer.sends}
      </span>
      <button type="submit" class="button is-main composer__send" aria-label=${words.composer.send}
        aria-disabled=${length === 0 || left < 0}>
        <span>${words.composer.send}</span><${Icon} name="send" size="small" />
      </button>
    </div>
  </form>`;
}

/** Whether nothing is held down beside the key. @param {KeyboardEvent} event */
const isBare = (event) => !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;

/**
 * @param {KeyboardEvent} event
 * @param {Ui} ui
 * @param {Room} room
 * @param {() => void} send
 */
function press(event, ui, room, send) {
  // 229 is how some input methods mark the Enter that ends a word and not a message.
  if (event.isComposing || event.keyCode === 229) return;
  const area = /** @type {HTMLTextAreaElement} */ (event.target);
  if (event.key === "Enter") {
    const always = event.ctrlKey || event.metaKey;
    if (!always && (event.shiftKey || event.altKey || glass.matches)) return;
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" && !area.value && isBare(event)) {
    const last = editLast(ui, room);
    if (last) event.preventDefault();
  } else if (event.key === "PageUp" || event.key === "PageDown") {
    const box = document.querySelector(".timeline");
    if (!box || area.scrollHeight > area.clientHeight) return;
    event.preventDefault();
    box.scrollBy({ top: box.clientHeight * (event.key === "PageUp" ? -0.85 : 0.85) });
  }
}

/**
 * Opens one's own last message to be edited.
 * @param {Ui} ui
 * @param {Room} room
 */
function editLast(ui, room) {
  const { me, timelines } = ui.app.state.value;
  const last = timelines.get(room.id)?.messages.findLast((one) => one.by.id === me?.id && !one.deleted);
  if (last) ui.editing.value = { room: room.id, seq: last.seq };
  return Boolean(last);
}
