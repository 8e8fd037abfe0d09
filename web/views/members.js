// @ts-check
/** The details of a room: what kind it is, who is in it. */

/** @import { RoomEntry } from "../types/state.d.ts" */
/** @import { Member, User } from "../types/protocol.d.ts" */
/** @import { Ui } from "./shell.js" */

import { useEffect, useRef, useState } from "../vendor/all.js";
import { Avatar, Tool, html } from "./parts.js";

/** @param {{ ui: Ui, entry: RoomEntry, me: User, connected: boolean }} props */
export function Details({ ui, entry, me, connected }) {
  const { words } = ui;
  const { room } = entry;
  const { members, next, failed, load, drop } = useMembers(ui, entry, connected);
  const here = new Map((entry.presence?.here ?? []).map((user) => [user.id, user]));
  // The roster's own word holds until presence is told, and for those whom presence does not name.
  const isHere = (/** @type {Member} */ member) =>
    (member.id !== me.id || connected) &&
      (here.has(member.id) || (member.here && (!entry.presence || entry.presence.count > here.size)));
  const present = members.filter(isHere);
  // Visitors have no membership: they are here all the same. Before the roster is known, everybody looks like a member.
  for (const member of members) here.delete(member.id);
  if (!connected) here.delete(me.id);
  const role = members.length ? /** @type {const} */ ("guest") : /** @type {const} */ ("member");
  const visitors = next ? [] : [...here.values()].map((user) => ({ ...user, role, here: true }));
  const listed = present.length + visitors.length;
  const unnamed = next || !connected ? 0 : Math.max(0, (entry.presence?.count ?? 0) - listed);
  const told = connected ? Math.max(listed, entry.presence?.count ?? 0) : listed;
  const away = members.filter((member) => !isHere(member));
  const invites = room.may.includes("invite") && ui.app.state.value.may.includes("find_people");
  const close = () => ui.showDetails(false);
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (ui.narrow.value) panel.current?.focus();
  }, []);
  /** @type {(name: string, people: Member[], count: number, more: number) => any} */
  const group = (name, people, count, more) =>
    people.length + more > 0 &&
    html`<h3><span>${name}</span><span class="figures">${words.count(count)}</span></h3>
      <ul>
        ${people.map(
          (member) =>
            html`<${Person} key=${member.id} ui=${ui} entry=${entry} member=${member} me=${me}
              here=${name === words.details.here} drop=${drop} />`)}
        ${more > 0 && html`<li class="person__more">${words.details.visitors(more, people.length > 0)}</li>`}
      </ul>`;
  return html`<aside class="panel" ref=${panel} aria-label=${words.details.title} data-region tabindex="-1">
    <header class="panel__head">
      <h2>${words.details.title}</h2>
      <${Tool} icon="close" name=${words.details.close} press=${close} />
    </header>
    <div class="panel__body" tabindex="0" role="group" aria-label=${words.details.title}>
      <p class="panel__about">${words.details.kind[room.kind]}</p>
      ${invites &&
        html`<button type="button" class="button is-soft is-wide" onClick=${() => ui.ask("invite", { room })}>
          ${words.details.invite}
        </button>`}
      ${group(words.details.here, [...present, ...visitors], told, unnamed)}
      ${group(words.details.away, away, away.length, 0)}
      ${next &&
        html`<button type="button" class="button is-plain is-wide" onClick=${() => load(next)}>${words.details.more}
        </button>`}
      ${failed &&
        html`<p class="hint">${words.details.failed}</p> <button type="button" class="button is-plain"
          onClick=${() => load()}>${words.retry}</button>`}
    </div>
  </aside>`;
}

/**
 * The roster, fetched anew when the line is back and when somebody comes whom it does not know.
 * @param {Ui} ui
 * @param {RoomEntry} entry
 * @param {boolean} connected
 */
function useMembers(ui, { room, presence }, connected) {
  const [members, setMembers] = useState(/** @type {Member[]} */ ([]));
  const [next, setNext] = useState(/** @type {string | undefined} */ (undefined));
  const [failed, setFailed] = useState(false);
  /** @param {string} [cursor] */
  const load = async (cursor) => {
    try {
      const page = await ui.app.actions.ask({ type: "list_members", room: room.id, cursor });
      setMembers((before) => (cursor ? [...before, ...page.members] : page.members));
      setNext(page.next);
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  const who = (presence?.here ?? []).map((user) => user.id).join(" ");
  useEffect(() => {
    if (!connected) return undefined;
    const timer = setTimeout(load, members.length ? 300 : 0);
    return () => clearTimeout(timer);
  }, [room.id, connected, who, room.head === 0]);
  const drop = (/** @type {string} */ id) => setMembers((before) => before.filter((member) => member.id !== id));
  return { members, next, failed, load, drop };
}

/**
 * @param {{
 *   ui: Ui, entry: RoomEntry, member: Member, me: User, here: boolean, drop: (id: string) => void, key?: string,
 * }} props
 */
function Person({ ui, entry, member, me, here, drop }) {
  const { words } = ui;
  const { room } = entry;
  const mine = member.id === me.id;
  const removable = member.may?.includes("remove");
  const tag = member.role !== "member" ? words.details.roles[member.role] : "";
  const remove = () =>
    ui.ask("confirm", {
      title: words.confirm.removeMember(member.name, room.name),
      text: room.kind === "open" ? words.confirm.removeMemberOpen : words.confirm.removeMemberClosed,
      keep: words.confirm.keepMember,
      yes: words.details.remove(member.name),
      run: async () => {
        await ui.app.actions.ask({ type: "remove_member", room: room.id, user: member.id });
        drop(member.id);
        ui.say(words.done.removed(member.name));
      },
    });
  return html`<li class="person">
    <${Avatar} user=${member} size=${30} presence=${here ? "here" : "away"} />
    <span class="person__who grow"><span class="cut" dir="auto">${member.name}</span>
      ${mine && html`<small>${words.details.you}</small>`}
    </span>
    ${tag && html`<span class="tag">${tag}</span>`}
    ${removable &&
      html`<${Tool} icon="close" name=${words.details.remove(member.name)} look="person__remove" press=${remove} />`}
  </li>`;
}
