// @ts-check
/** Looking for rooms to join and for people to invite. */

/** @import { OpenRoom, Room, User } from "../types/protocol.d.ts" */
/** @import { Ui } from "./shell.js" */

import { useEffect, useRef, useState } from "../vendor/all.js";
import { Frame, Wrong, useWork } from "./dialogs.js";
import { Avatar, Door, html } from "./parts.js";

/**
 * Fetches a list page by page, anew when what is looked for changes; a late answer to an old question is dropped.
 * @template T
 * @param {Ui} ui
 * @param {string} wanted
 * @param {(wanted: string, cursor?: string) => Promise<{ items: T[], next?: string }>} fetch
 */
function usePages(ui, wanted, fetch) {
  const [items, setItems] = useState(/** @type {T[] | null} */ (null));
  const [next, setNext] = useState(/** @type {string | undefined} */ (undefined));
  const [wrong, setWrong] = useState("");
  const asked = useRef(0);
  /** @param {string} [cursor] */
  const load = async (cursor) => {
    const turn = ++asked.current;
    try {
      const page = await fetch(wanted, cursor);
      if (turn !== asked.current) return;
      setWrong("");
      setItems((before) => (cursor && before ? [...before, ...page.items] : page.items));
      setNext(page.next);
    } catch (refusal) {
      if (turn === asked.current) setWrong(ui.words.refusal(/** @type {any} */ (refusal)));
    }
  };
  useEffect(() => {
    const timer = setTimeout(load, items ? 150 : 0);
    return () => clearTimeout(timer);
  }, [wanted]);
  return { items, wrong, more: next ? () => load(next) : null };
}

/** @param {{ ui: Ui, text: string, more: (() => void) | null }} props */
function Rest({ ui, text, more }) {
  return html`${text && html`<p class="hint finder__none">${text}</p>`}
    ${more &&
      html`<button type="button" class="button is-plain finder__more" onClick=${more}>${ui.words.find.more}</button>`}`;
}

/** Open rooms, by name. @param {{ ui: Ui }} props */
export function Find({ ui }) {
  const { words, app } = ui;
  const [wanted, setWanted] = useState("");
  const { items, wrong, more } = usePages(ui, "", async (_, cursor) => {
    const page = await app.actions.ask({ type: "list_rooms", cursor });
    return { items: page.open, next: page.next };
  });
  const work = useWork(ui);
  const go = (/** @type {string} */ id) => {
    ui.dialog.value = null;
    app.actions.navigate(`/rooms/${id}`);
  };
  const join = (/** @type {OpenRoom} */ room) => work.run(async () => go((await app.actions.joinRoom(room.id)).id));
  const found =
    (items ?? []).filter((room) => room.name.toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()));
  const none = items && !found.length && !more ? (items.length ? words.find.none : words.find.noRooms) : "";
  return html`<${Frame} ui=${ui} title=${words.find.title} look="is-tall">
    <input class="input" type="search" autofocus autocomplete="off" aria-label=${words.find.field}
      placeholder=${words.find.field} onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} />
    <${Wrong} text=${wrong || work.wrong} />
    <ul class="finder">
      ${found.map(
        (room) => html`<li key=${room.id} class="finder__row">
          <${Door} kind="open" />
          <span class="grow"><span class="cut">${room.name}</span><small>${words.find.members(room.members)}</small>
          </span>
          ${room.joined
            ? html`<button type="button" class="button is-plain" aria-label=${`${words.find.go}: ${room.name}`}
              onClick=${() => go(room.id)}>${words.find.go}
            </button>`
            : html`<button type="button" class="button is-soft" aria-busy=${work.busy}
              aria-label=${`${words.find.join} ${room.name}`} onClick=${() => join(room)}>${words.find.join}
            </button>`}
        </li>`,
      )}
    </ul>
    <${Rest} ui=${ui} text=${none} more=${more} />
  <//>`;
}

/** People of this server, to be made members of a room. @param {{ ui: Ui, room: Room }} props */
export function Invite({ ui, room }) {
  const { words, app } = ui;
  const [wanted, setWanted] = useState("");
  const [added, setAdded] = useState(/** @type {Set<string>} */ (new Set()));
  const [inside, setInside] = useState(/** @type {Set<string>} */ (new Set()));
  const { items, wrong, more } = usePages(ui, wanted.trim(), async (name, cursor) => {
    const page = await app.actions.ask({ type: "list_users", name, cursor });
    return { items: page.users, next: page.next };
  });
  useEffect(() => {
    app.actions.ask({ type: "list_members", room: room.id }).then(
      (page) => setInside(new Set(page.members.map((member) => member.id))),
      () => undefined,
    );
  }, []);
  const work = useWork(ui);
  const add = (/** @type {User} */ user) =>
    work.run(async () => {
      await app.actions.ask({ type: "invite_member", room: room.id, user: user.id });
      setAdded((before) => new Set(before).add(user.id));
    });
  return html`<${Frame} ui=${ui} title=${words.invite.title(room.name)} look="is-tall">
    <input class="input" type="search" autofocus autocomplete="off" aria-label=${words.invite.field}
      placeholder=${words.invite.field} onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} />
    <${Wrong} text=${wrong || work.wrong} />
    <ul class="finder">
      ${(items ?? []).map(
        (user) => html`<li key=${user.id} class="finder__row">
          <${Avatar} user=${user} size=${30} />
          <span class="grow cut">${user.name}</span>
          ${added.has(user.id)
            ? html`<span class="tag is-good" role="status">${words.invite.added}</span>`
            : inside.has(user.id)
              ? html`<span class="hint">${words.invite.in}</span>`
              : html`<button type="button" class="button is-soft" aria-busy=${work.busy}
                aria-label=${`${words.invite.add} ${user.name}`} onClick=${() => add(user)}>${words.invite.add}
              </button>`}
        </li>`,
      )}
    </ul>
    <${Rest} ui=${ui} text=${items && !items.length ? words.invite.none : ""} more=${more} />
    <div class="dialog__answers">
      <button type="button" class="button is-plain" onClick=${() => ui.ask("link", { room })}>${words.invite.link}
    </button>
    </div>
  <//>`;
}
