// @ts-check
/** Rooms with nothing in them yet, and rooms one cannot see. */

/** @import { RoomEntry } from "../types/state.d.ts" */
/** @import { OpenRoom, Room } from "../types/protocol.d.ts" */
/** @import { IconName } from "./parts.js" */
/** @import { Ui } from "./shell.js" */

import { useEffect, useState } from "../vendor/all.js";
import { mayOpen } from "./rooms.js";
import { Icon, Tool, html } from "./parts.js";

/**
 * A lit doorway with stools before it; or, for a room that stays shut, the door alone.
 * @param {{ shut?: boolean }} props
 */
function Doorway({ shut }) {
  const stools = [[40, 108], [84, 117], [246, 111]];
  return html`<svg class="empty__art" viewBox="0 0 300 150" stroke-width="1.5" aria-hidden="true">
    <path d="M14 132h272" class="art-ground" />
    ${!shut && html`<path d="M116 132h68l50 18H66z" class="art-spill" />`}
    <path d="M112 132V66a38 38 0 0 1 76 0v66z" class="art-door" />
    ${shut
      ? html`<path d="M120 132V66a30 30 0 0 1 60 0v66z" class="art-leaf" />
        <circle cx="171" cy="98" r="2.500" class="art-glow" />`
      : html`<path d="M119 132V66a31 31 0 0 1 62 0v66z" class="art-glow" />
          <path d="M150 35v22" class="art-cord" /><path d="M138 67a12 12 0 0 1 24 0z" class="art-shade" />
          <path d="m188 66 30 12v70l-30-13z" class="art-door" /><circle cx="212" cy="111" r="2.500" class="art-glow" />
          ${stools.map(
            ([x, y]) =>
              html`<path
                d=${`M${x} ${y + 6}v26M${x + 16} ${y + 6}v26M${x - 4} ${y}h24a3 3 0 0 1 0 6h-24a3 3 0 0 1 0-6z`}
                class="art-stool" />`)}
          <path d="M142 128v19M158 128v19M138 122h24a3 3 0 0 1 0 6h-24a3 3 0 0 1 0-6z" class="art-stool is-near" />`}
  </svg>`;
}

/** @param {{ icon: IconName, name: string, text: string, run: () => void }} props */
function Start({ icon, name, text, run }) {
  return html`<li>
    <button type="button" class="start" onClick=${run}>
      <${Icon} name=${icon} size="large" />
      <span class="grow"><b>${name}</b><small>${text}</small></span>
      <${Icon} name="forward" />
    </button>
  </li>`;
}

/** @param {{ ui: Ui, room: Room }} props */
export function Empty({ ui, room }) {
  const { words } = ui;
  const invites = room.may.includes("invite");
  const finds = ui.app.state.value.may.includes("find_people");
  return html`<div class="empty" data-region tabindex="0" role="group" aria-label=${words.timeline.title(room.name)}>
    <${Doorway} />
    <h2 class="display">${room.kind === "open" ? words.empty.title : words.empty.closedTitle}</h2>
    <p class="lead">${words.empty.text(room.name)}</p>
    <ul class="starts">
      ${invites && finds &&
        html`<${Start} icon="people" name=${words.empty.invite} text=${words.empty.inviteText}
          run=${() => ui.ask("invite", { room })} />`}
      ${invites &&
        html`<${Start} icon="link" name=${words.empty.link} text=${words.empty.linkText}
          run=${() => ui.ask("link", { room })} />`}
      ${room.may.includes("post") &&
        html`<${Start} icon="edit" name=${words.empty.write} text=${words.empty.writeText}
          run=${() => ui.writing?.focus()} />`}
    </ul>
  </div>`;
}

/** A room that somebody else took one out of. @param {{ ui: Ui, entry: RoomEntry }} props */
export function Removed({ ui, entry }) {
  const { words, app } = ui;
  const { room, leftBy } = entry;
  const close = async () => {
    app.actions.navigate("/");
    await app.actions.leaveRoom(room.id);
  };
  return html`<div class="empty" data-region tabindex="-1" role="status">
    <${Doorway} shut />
    <h2 class="display">${words.removed.title(leftBy?.name ?? null, room.name)}</h2>
    <p class="lead">${room.kind === "open" ? words.removed.open : words.removed.closed}</p>
    <button type="button" class="button is-main is-large" onClick=${close}>${words.removed.close}</button>
  </div>`;
}

/**
 * In place of a room: one that is open can be joined, any other stays shut.
 * @param {{ ui: Ui, id: string | null }} props
 */
export function Absent({ ui, id }) {
  const { words, app } = ui;
  const [found, setFound] = useState(/** @type {OpenRoom | null | undefined} */ (undefined));
  useEffect(() => {
    if (!id) return setFound(null);
    find(ui, id).then(setFound, () => setFound(null));
    return undefined;
  }, [id]);
  if (found === undefined) return html`<div class="empty"></div>`;
  const title = found ? words.absent.joinTitle(found.name) : id ? words.absent.title : words.absent.noneTitle;
  const text = found ? words.absent.joinText : id ? words.absent.text : words.absent.noneText;
  const join = async () => {
    try {
      await app.actions.joinRoom(/** @type {OpenRoom} */ (found).id);
    } catch (refusal) {
      ui.ask("notice", { title, text: words.refusal(/** @type {any} */ (refusal)) });
    }
  };
  return html`
    ${ui.narrow.value &&
      html`<header class="header">
        <${Tool} icon="back" name=${words.room.back} press=${() => app.actions.navigate("/")} />
      </header>`}
    <div class="empty" data-region tabindex="-1">
      <${Doorway} shut=${!found && Boolean(id)} />
      <h1 class="display">${title}</h1>
      <p class="lead">${text}</p>
      <p class="empty__ways">
        ${found &&
          html`<button type="button" class="button is-main is-large" onClick=${join}>${words.absent.join(found.name)}
          </button>`}
        ${!found &&
          html`<button type="button" class="button is-main is-large" onClick=${() => ui.ask("find")}>${words.rooms.find}
          </button>`}
        ${!found && mayOpen(app.state.value) &&
          html`<button type="button" class="button is-plain is-large" onClick=${() => ui.ask("open")}>
            ${words.rooms.open}
          </button>`}
      </p>
    </div>
  `;
}

/**
 * Looks a room up among the open ones.
 * @param {Ui} ui
 * @param {string} id
 * @returns {Promise<OpenRoom | null>}
 */
async function find(ui, id) {
  /** @type {string | undefined} */
  let cursor;
  do {
    const page = await ui.app.actions.ask({ type: "list_rooms", cursor });
    const room = page.open.find((one) => one.id === id);
    if (room) return room;
    cursor = page.next;
  } while (cursor);
  return null;
}
