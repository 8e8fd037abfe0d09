// @ts-check
/** What people reacted to a message with, and reacting oneself. */

/** @import { Message, Reaction, RoomId, RoomRight } from "../types/protocol.d.ts" */
/** @import { MenuItem, Ui } from "./shell.js" */

import { Icon, html } from "./parts.js";

/**
 * @param {{ ui: Ui, room: RoomId, message: Message, may: RoomRight[], tab: boolean }} props
 *   `tab`: whether the Tab key stops here.
 */
export function Reactions({ ui, room, message, may, tab }) {
  const words = ui.words.reactions;
  const mayReact = may.includes("react");
  const add = (/** @type {MouseEvent} */ event) =>
    offerReactions(ui, /** @type {HTMLElement} */ (event.currentTarget), room, message);
  return html`<ul class="reactions" aria-label=${words.title}>
    ${message.reactions?.map((reaction) => {
      const toggle = () => mayReact && react(ui, room, message, reaction.emoji, !reaction.mine);
      return html`<${Chip} key=${reaction.emoji} ui=${ui} id=${`who-${message.seq}-${reaction.emoji}`}
        reaction=${reaction} fixed=${!mayReact} tab=${tab} toggle=${toggle} />`;
    })}
    ${mayReact &&
      html`<li key="add">
        <button type="button" class="reaction is-add" aria-label=${words.add} title=${words.add}
          tabindex=${tab ? 0 : -1} onClick=${add}><${Icon} name="smile" size="small" /></button>
      </li>`}
  </ul>`;
}

/**
 * @param {{
 *   ui: Ui, id: string, reaction: Reaction, fixed: boolean, tab: boolean, toggle: () => void, key?: string,
 * }} props `fixed`: it cannot be pressed, only read.
 */
function Chip({ ui, id, reaction, fixed, tab, toggle }) {
  const words = ui.words.reactions;
  const { emoji, count, mine, users } = reaction;
  const me = ui.app.state.peek().me;
  const others = users.filter((user) => user.id !== me?.id).map((user) => user.name);
  const names = mine ? [words.you, ...others] : others;
  return html`<li>
    <button type="button" class="reaction" aria-pressed=${mine} aria-disabled=${fixed} aria-describedby=${id}
      aria-label=${words.label(nameOf(ui, emoji), count, mine)} tabindex=${tab ? 0 : -1} onClick=${toggle}>
      <span aria-hidden="true">${emoji}</span><span class="figures" aria-hidden="true">${ui.words.count(count)}</span>
    </button>
    <span class="reactions__who" id=${id} role="tooltip">${words.who(names, count - names.length)}</span>
  </li>`;
}

/**
 * Offers a few emoji below an element.
 * @param {Ui} ui
 * @param {HTMLElement} below
 * @param {RoomId} room
 * @param {Message} message
 */
export function offerReactions(ui, below, room, message) {
  const words = ui.words.reactions;
  const items = Object.entries(words.names).map(([emoji, name]) => {
    const mine = message.reactions?.some((one) => one.emoji === emoji && one.mine) ?? false;
    return /** @type {MenuItem} */ ({ name, sign: emoji, run: () => void react(ui, room, message, emoji, !mine) });
  });
  ui.offerBelow(below, words.add, items);
}

/**
 * Reacts, or takes that back; it shows at once, and goes again when the server refuses.
 * @param {Ui} ui
 * @param {RoomId} room
 * @param {Message} message
 * @param {string} emoji
 * @param {boolean} on
 */
async function react(ui, room, { seq }, emoji, on) {
  try {
    await ui.app.actions.ask({ type: "react", room, seq, emoji, on });
  } catch (refusal) {
    ui.say(ui.words.refusal(/** @type {any} */ (refusal)));
  }
}

/**
 * The name of an emoji, or the emoji itself, which is read aloud in the listener's language.
 * @param {Ui} ui
 * @param {string} emoji
 */
function nameOf(ui, emoji) {
  return /** @type {Record<string, string>} */ (ui.words.reactions.names)[emoji] ?? emoji;
}
