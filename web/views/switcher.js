// @ts-check
/** Jumping to a room, a person or an action by a few letters of its name. */

/** @import { State } from "../types/state.d.ts" */
/** @import { OpenRoom, User } from "../types/protocol.d.ts" */
/** @import { IconName } from "./parts.js" */
/** @import { Ui } from "./shell.js" */

import { useEffect, useMemo, useRef, useState } from "../vendor/all.js";
import { Frame } from "./dialogs.js";
import { mayOpen, unreadOf } from "./rooms.js";
import { Avatar, Door, Icon, html } from "./parts.js";

/**
 * @typedef {{
 *   key: string, group: "rooms" | "people" | "actions", name: string, where?: string, end?: string, run: () => void,
 *   room?: "open" | "closed" | "direct", lit?: boolean, user?: User, icon?: IconName,
 * }} Option
 */

/**
 * How well `name` answers to `wanted`: 0 not at all, more is better.
 * @param {string} name
 * @param {string} wanted
 */
function matches(name, wanted) {
  const at = name.toLocaleLowerCase().indexOf(wanted);
  if (!wanted || at === 0) return 3;
  if (at > 0) return /[\s\p{P}]/u.test(name[at - 1]) ? 2 : 1;
  return 0;
}

/** @param {{ name: string, wanted: string }} props */
function Marked({ name, wanted }) {
  const at = wanted ? name.toLocaleLowerCase().indexOf(wanted) : -1;
  if (at < 0) return html`${name}`;
  return html`${name.slice(0, at)}<mark>${name.slice(at, at + wanted.length)}</mark>${name.slice(at + wanted.length)}`;
}

/**
 * @param {Ui} ui
 * @param {State} state
 * @param {string} wanted
 * @returns {Option[]}
 */
function roomsFor(ui, state, wanted) {
  const { words, app } = ui;
  const here = state.path.split("/")[2];
  return [...state.rooms.values()]
    .map((entry) => ({ entry, fit: matches(entry.room.name, wanted), unread: unreadOf(entry) }))
    .filter(({ fit }) => fit)
    .sort((one, other) => other.fit - one.fit || Number(other.unread > 0) - Number(one.unread > 0))
    .slice(0, 8)
    .map(({ entry, unread }) => ({
      key: entry.room.id,
      group: "rooms",
      name: entry.room.name,
      room: entry.room.kind,
      lit: unread > 0,
      end: entry.room.id === here ? words.switcher.here : unread ? words.rooms.unread(unread) : undefined,
      run: () => app.actions.navigate(`/rooms/${entry.room.id}`),
    }));
}

/**
 * @param {Ui} ui
 * @param {State} state
 * @param {string} wanted
 * @returns {Option[]}
 */
function actionsFor(ui, state, wanted) {
  const { words } = ui;
  /** @type {Option[]} */
  const options = [];
  const add = (/** @type {string} */ name, /** @type {IconName} */ icon, /** @type {() => void} */ run) => {
    if (matches(name, wanted)) options.push({ key: name, group: "actions", name, icon, run });
  };
  add(words.rooms.find, "search", () => ui.ask("find"));
  if (mayOpen(state)) add(words.rooms.open, "plus", () => ui.ask("open"));
  if (state.may.includes("invite")) add(words.me.invite, "link", () => ui.ask("link"));
  add(words.me.keys, "keys", () => ui.ask("keys"));
  if (wanted && mayOpen(state)) {
    const name = words.switcher.openCalled(wanted);
    options.push({ key: "called", group: "actions", name, icon: "plus", run: () => ui.ask("open", { name: wanted }) });
  }
  return options;
}

/**
 * Rooms and people that only the server knows; a late answer to an old question is dropped.
 * @param {Ui} ui
 * @param {string} wanted
 */
function useElsewhere(ui, wanted) {
  const [found, setFound] = useState(/** @type {{ rooms: OpenRoom[], users: User[] }} */ ({ rooms: [], users: [] }));
  useEffect(() => {
    if (!wanted) return setFound({ rooms: [], users: [] });
    let late = false;
    const { actions, state } = ui.app;
    const finds = state.value.may.includes("find_people");
    const timer = setTimeout(async () => {
      const [rooms, users] = await Promise.all([
        actions.ask({ type: "list_rooms" }).then((page) => page.open, () => []),
        finds ? actions.ask({ type: "list_users", name: wanted }).then((page) => page.users, () => []) : [],
      ]);
      if (!late) setFound({ rooms, users });
    }, 120);
    return () => {
      late = true;
      clearTimeout(timer);
    };
  }, [wanted]);
  return found;
}

/** @param {{ ui: Ui }} props */
export function Switcher({ ui }) {
  const { words, app } = ui;
  const state = app.state.value;
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const wanted = text.trim().toLocaleLowerCase();
  const elsewhere = useElsewhere(ui, wanted);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const options = useMemo(() => optionsFor(ui, state, text.trim(), elsewhere), [text, elsewhere, state.rooms]);
  const chosen = options[Math.min(at, options.length - 1)];
  const run = (/** @type {Option} */ option) => {
    ui.dialog.value = null;
    option.run();
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step && options.length) {
      event.preventDefault();
      setAt((Math.min(at, options.length - 1) + step + options.length) % options.length);
    } else if (event.key === "Enter" && chosen) {
      event.preventDefault();
      run(chosen);
    }
  };
  useEffect(() => list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [at]);
  return html`<${Frame} ui=${ui} title=${words.switcher.field} look="switcher" bare>
    <div class="switcher__ask">
      <${Icon} name="search" />
      <input type="text" autofocus role="combobox" aria-expanded="true" aria-controls="switcher-list"
        aria-autocomplete="list" aria-activedescendant=${chosen && `option-${chosen.key}`}
        aria-label=${words.switcher.field} placeholder=${words.switcher.field} autocomplete="off" spellcheck=${false}
        enterkeyhint="go"
        onInput=${(/** @type {any} */ event) => (setText(event.target.value), setAt(0))} onKeyDown=${press} />
      <kbd class="key">${words.keys.escape}</kbd>
    </div>
    <div class="switcher__list" id="switcher-list" role="listbox" aria-label=${words.switcher.results} ref=${list}>
      ${(/** @type {const} */ (["rooms", "people", "actions"])).map((group) => {
        const some = options.filter((option) => option.group === group);
        return some.length > 0 && html`<div role="group" aria-label=${words.switcher[group]} key=${group}>
          <p class="switcher__group" aria-hidden="true">${words.switcher[group]}</p>
          ${some.map(
            (option) =>
              html`<${Choice} key=${option.key} option=${option} wanted=${wanted} on=${option === chosen} run=${run}
                enter=${words.keys.enter} />`)}
        </div>`;
      })}
      ${!options.length && html`<p class="hint switcher__none">${words.switcher.none}</p>`}
    </div>
    <p class="unseen" role="status">${wanted ? words.switcher.found(options.length) : ""}</p>
    <p class="switcher__keys" aria-hidden="true">
      <span><kbd class="key">↑</kbd><kbd class="key">↓</kbd> ${words.switcher.move}</span>
      <span><kbd class="key">${words.keys.enter}</kbd> ${words.switcher.go}</span>
    </p>
  <//>`;
}

/**
 * @param {{
 *   option: Option, wanted: string, on: boolean, run: (option: Option) => void, enter: string, key?: string,
 * }} props
 */
function Choice({ option, wanted, on, run, enter }) {
  const { user, room, icon } = option;
  const sign = room ? html`<${Door} kind=${room} />` : html`<${Icon} name=${icon ?? "forward"} />`;
  return html`<div role="option" id=${`option-${option.key}`} aria-selected=${on}
    class="option${option.lit ? " is-unread" : ""}" onClick=${() => run(option)}>
    ${user ? html`<${Avatar} user=${user} size=${24} />` : sign}
    <span class="cut"><${Marked} name=${option.name} wanted=${wanted} />
      ${option.where && html` <span class="option__where">${option.where}</span>`}
    </span>
    <span class="option__end">${option.end}${on && html`<kbd class="key">${enter}</kbd>`}</span>
  </div>`;
}

/**
 * @param {Ui} ui
 * @param {State} state
 * @param {string} text
 * @param {{ rooms: OpenRoom[], users: User[] }} elsewhere
 * @returns {Option[]}
 */
function optionsFor(ui, state, text, elsewhere) {
  const { words, app } = ui;
  const wanted = text.toLocaleLowerCase();
  const rooms = roomsFor(ui, state, wanted);
  for (const room of elsewhere.rooms) {
    if (room.joined || state.rooms.has(room.id) || !matches(room.name, wanted)) continue;
    rooms.push({
      key: room.id,
      group: "rooms",
      name: room.name,
      room: "open",
      where: words.find.members(room.members),
      end: words.find.join,
      run: () => app.actions.navigate(`/rooms/${room.id}`),
    });
  }
  const id = state.path.split("/")[2];
  const room = id ? state.rooms.get(id)?.room : undefined;
  const open = room?.may.includes("invite") ? room : undefined;
  const where = open ? words.switcher.inviteTo(open.name) : undefined;
  // What choosing a person leads to: into the room that is open, or to a room of one's own.
  const known = open || mayOpen(state) ? elsewhere.users : [];
  const people = known.slice(0, 6).map((user) => {
    const run = () => choosePerson(ui, user, open?.id ?? null);
    return /** @type {Option} */ ({ key: user.id, group: "people", name: user.name, user, where, run });
  });
  return [...rooms, ...people, ...actionsFor(ui, state, text)];
}

/**
 * @param {Ui} ui
 * @param {User} user
 * @param {string | null} room
 */
async function choosePerson(ui, user, room) {
  const { words, app } = ui;
  if (!room) return ui.ask("open");
  try {
    await app.actions.ask({ type: "invite_member", room, user: user.id });
    ui.say(`${user.name}: ${words.invite.added}`);
  } catch (refusal) {
    ui.ask("notice", { title: user.name, text: words.refusal(/** @type {any} */ (refusal)) });
  }
  return undefined;
}
