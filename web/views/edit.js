// @ts-check
/** Writing a message anew. */

/** @import { Message } from "../types/protocol.d.ts" */
/** @import { Ui } from "./shell.js" */

import { useEffect, useRef, useState } from "../vendor/all.js";
import { askToRemove } from "./message.js";
import { html } from "./parts.js";

/** @param {{ ui: Ui, room: string, message: Message }} props */
export function EditForm({ ui, room, message }) {
  const { words, app } = ui;
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [wrong, setWrong] = useState("");
  const close = () => {
    const row = /** @type {HTMLElement | null} */ (field.current?.closest("li") ?? null);
    ui.editing.value = null;
    row?.focus({ preventScroll: true });
  };
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(message.text.length, message.text.length);
  }, []);
  const save = async () => {
    const text = field.current?.value.trim() ?? "";
    if (!text) return askToRemove(ui, room, message);
    if (text === message.text) return close();
    try {
      await app.actions.ask({ type: "edit_message", room, seq: message.seq, text });
      close();
    } catch (refusal) {
      setWrong(words.refusal(/** @type {any} */ (refusal)));
    }
    return undefined;
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return;
    const sends = event.key === "Enter" && !event.shiftKey;
    if (event.key === "Escape" || sends) event.preventDefault();
    if (event.key === "Escape") close();
    else if (sends) void save();
  };
  return html`<div class="edit">
    <textarea ref=${field} class="edit__text" dir="auto" rows="1" aria-label=${words.message.editLabel}
      defaultValue=${message.text} onKeyDown=${press}>
    </textarea>
    ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
    <p class="edit__foot">
      <span class="hint">${words.message.editKeys}</span>
      <button type="button" class="button is-plain" onClick=${close}>${words.cancel}</button>
      <button type="button" class="button is-main" onClick=${save}>${words.save}</button>
    </p>
  </div>`;
}
