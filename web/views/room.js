// @ts-check
/** The sheet of the open room: its header, what is wrong with the line, its messages, where one writes, its details. */

/** @import { Connection, Pending, RoomEntry, State, Timeline } from "../types/state.d.ts" */
/** @import { RoomId, User } from "../types/protocol.d.ts" */
/** @import { MenuItem, Ui } from "./shell.js" */

import { useEffect, useMemo, useState } from "../vendor/all.js";
import { Composer } from "./composer.js";
import { Timeline as Messages } from "./timeline.js";
import { Avatar, Door, Icon, Tool, html, later } from "./parts.js";

const Details = later(() => import("./members.js").then((all) => all.Details));
const Empty = later(() => import("./empty.js").then((all) => all.Empty), "empty");
const Absent = later(() => import("./empty.js").then((all) => all.Absent), "empty");
const Removed = later(() => import("./empty.js").then((all) => all.Removed), "empty");

/** For so long a lost connection is nobody's business, in milliseconds. */
const patience = 5000;

/** @param {{ ui: Ui, state: State, id: RoomId | null, seq: number | null }} props */
export function RoomPane({ ui, state, id, seq }) {
  const { words } = ui;
  const entry = id === null ? undefined : state.rooms.get(id);
  // The same list as before as long as nothing is sent: the timeline is drawn anew for another one.
  const pendings = useMemo(() => state.outbox.filter((pending) => pending.room === id), [state.outbox, id]);
  if (!entry || !state.me) {
    const known = state.epoch !== null;
    return html`<div class="sheet"><main class="pane" id="conversation" tabindex="-1" aria-label=${words.rooms.title}>
      ${known ? html`<${Absent} ui=${ui} id=${id} />`
        : html`<h1 class="unseen">${state.session.name}</h1><${Banner} ui=${ui} connection=${state.connection} />`}
    </main></div>`;
  }
  const timeline = state.timelines.get(entry.room.id) ?? null;
  const empty = timeline !== null && !timeline.messages.length && !timeline.moreBefore && !timeline.loading &&
    !pendings.length;
  // Unless somebody chose, they are there where three panes fit and there is more to see than an empty room.
  const details = entry.leftBy === undefined && (ui.details.value ?? (timeline !== null && !empty));
  return html`<div class="sheet">
    <main class="pane" id="conversation" tabindex="-1" aria-label=${entry.room.name}
      inert=${details && ui.narrow.value}>
      <${Header} ui=${ui} entry=${entry} open=${details} />
      <${Banner} ui=${ui} connection=${state.connection} />
      <${Conversation} ui=${ui} state=${state} entry=${entry} me=${state.me} seq=${seq} timeline=${timeline}
        pendings=${pendings} empty=${empty} />
    </main>
    ${details &&
      html`<${Details} ui=${ui} entry=${entry} me=${state.me} connected=${state.connection.status === "open"} />`}
  </div>`;
}

/** @param {{ ui: Ui, entry: RoomEntry, open: boolean }} props */
function Header({ ui, entry, open }) {
  const { words } = ui;
  const { room, presence } = entry;
  const toggle = () => ui.showDetails(!open);
  const menu = (/** @type {MouseEvent} */ event) => ui.offer(event, words.room.menu, menuOf(ui, entry));
  return html`<header class="header">
    ${ui.narrow.value &&
      html`<${Tool} icon="back" name=${words.room.back} press=${() => ui.app.actions.navigate("/")} />`}
    <${Door} kind=${room.kind} size="large" />
    <div class="header__name">
      <h1 class="cut" dir="auto">${room.name}</h1>
      ${presence && html`<span class="header__here figures">${words.room.here(presence.count)}</span>`}
    </div>
    <span class="header__kind">${words.room.kind[room.kind]}</span>
    <div class="header__tools">
      ${presence && presence.count > 0 &&
        html`<button type="button" class="here figures" title=${words.room.here(presence.count)} aria-expanded=${open}
          onClick=${toggle}>
        <span class="stack" aria-hidden="true">
          ${presence.here.slice(0, 4).map((user) => html`<${Avatar} key=${user.id} user=${user} size=${24} />`)}
        </span>
        <span aria-hidden="true">${words.count(presence.count)}</span>
        <span class="unseen">${words.room.here(presence.count)}</span>
      </button>`}
      ${entry.leftBy === undefined &&
        html`<${Tool} icon="people" name=${words.room.details} look="header__details" aria-pressed=${open}
          press=${toggle} />`}
      <${Tool} icon="more" name=${words.room.menu} aria-haspopup="menu" press=${menu} />
    </div>
  </header>`;
}

/**
 * @param {Ui} ui
 * @param {RoomEntry} entry
 * @returns {MenuItem[]}
 */
function menuOf(ui, { room, leftBy }) {
  const { words } = ui;
  const invites = leftBy === undefined && room.may.includes("invite");
  /** @type {MenuItem[]} */
  const items = [];
  if (invites && ui.app.state.value.may.includes("find_people")) {
    items.push({ name: words.room.invite, icon: "people", run: () => ui.ask("invite", { room }) });
  }
  if (invites) items.push({ name: words.room.inviteLink, icon: "link", run: () => ui.ask("link", { room }) });
  const link = `${location.origin}/rooms/${room.id}`;
  items.push({ name: words.room.copyLink, icon: "copy", run: () => void ui.copy(link) });
  if (leftBy === undefined) {
    items.push({ name: words.room.leave, icon: "leave", danger: true, apart: true, run: () => void leave(ui, room) });
  }
  return items;
}

/**
 * An open room can be joined again, so leaving it asks nothing and offers the way back; a closed one asks first.
 * @param {Ui} ui
 * @param {RoomEntry["room"]} room
 */
export async function leave(ui, room) {
  const { words, app } = ui;
  const go = async () => {
    await app.actions.leaveRoom(room.id);
    app.actions.navigate("/");
  };
  if (room.kind !== "open") {
    const { leave: title, leaveText: text, stay: keep } = words.confirm;
    ui.ask("confirm", { title: title(room.name), text, keep, yes: words.room.leave, run: go });
    return;
  }
  try {
    await go();
    const rejoin = async () => {
      await app.actions.joinRoom(room.id);
      app.actions.navigate(`/rooms/${room.id}`);
    };
    ui.say(words.done.left(room.name), { name: words.rejoin, run: () => void rejoin() });
  } catch (refusal) {
    ui.ask("notice", { title: words.room.leave, text: words.refusal(/** @type {any} */ (refusal)) });
  }
}

/**
 * The time now, kept up to date while it matters.
 * @param {boolean} matters
 */
function useNow(matters) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!matters) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [matters]);
  return now;
}

/** @param {{ ui: Ui, connection: Connection }} props */
function Banner({ ui, connection }) {
  const { words } = ui;
  const lost = connection.status !== "open" && connection.lostAt !== null;
  const now = useNow(lost);
  if (connection.status === "ended") {
    return html`<div class="banner" role="status">
      <${Icon} name="alert" />
      <p><b>${words.banner.ended}</b> <span>${words.banner.endedHow}</span></p>
      <button type="button" class="button is-plain" onClick=${() => location.reload()}>${words.reload}</button>
    </div>`;
  }
  if (!lost || connection.lostAt === null || now - connection.lostAt < patience) return null;
  const left = connection.retryAt === null ? 0 : Math.ceil((connection.retryAt - now) / 1000);
  return html`<div class="banner">
    <${Icon} name="offline" />
    <p role="status"><b>${words.banner.lost(connection.lostAt)}</b> <span>${words.banner.keepWriting}</span></p>
    <span class="banner__count figures" aria-live="off">${left >= 5 ? words.banner.tryingIn(left) : words.banner.trying}
    </span>
    <button type="button" class="button is-plain" onClick=${() => ui.app.actions.reconnectNow()}>${words.banner.tryNow}
    </button>
  </div>`;
}

/**
 * @param {{ ui: Ui, state: State, entry: RoomEntry, me: User, seq: number | null, timeline: Timeline | null,
 *   pendings: Pending[], empty: boolean }} props
 */
function Conversation({ ui, state, entry, me, seq, timeline, pendings, empty }) {
  const [below, setBelow] = useState(/** @type {number | null} */ (null));
  const { room } = entry;
  if (entry.leftBy !== undefined) return html`<${Removed} ui=${ui} entry=${entry} />`;
  return html`
    ${empty
      ? html`<${Empty} ui=${ui} room=${room} />`
      : html`<${Messages} ui=${ui} entry=${entry} timeline=${timeline} pendings=${pendings} me=${me} seq=${seq}
        editing=${ui.editing.value} onBelow=${setBelow} />`}
    <div class="foot" data-region>
      <div class="foot__line">
        ${below !== null && !empty && html`<button type="button" class="pill" onClick=${() => ui.toEnd?.()}>
          <span class="figures">${below ? words(ui).newBelow(below) : words(ui).toNewest}</span>
            <${Icon} name="down" size="small" />
        </button>`}
      </div>
      <${Outbox} ui=${ui} pendings=${pendings} connection=${state.connection} />
      ${room.may.includes("post")
        ? html`<${Composer} ui=${ui} room=${room} draft=${state.drafts.get(room.id) ?? ""}
            limit=${state.limits.text_chars} empty=${empty} />`
        : html`<p class="foot__shut">${ui.words.composer.shut}</p>`}
    </div>
  `;
}

/** @param {Ui} ui */
const words = (ui) => ui.words.timeline;

/** What waits for the line to come back. @param {{ ui: Ui, pendings: Pending[], connection: Connection }} props */
function Outbox({ ui, pendings, connection }) {
  const waiting = pendings.filter((pending) => pending.state !== "failed");
  const lost = connection.status !== "open" && connection.lostAt !== null;
  const now = useNow(lost);
  if (!waiting.length || !lost || now - /** @type {number} */ (connection.lostAt) < patience) return null;
  return html`<p class="outbox">
    <${Icon} name="clock" size="small" />
    <b>${ui.words.outbox.waiting(waiting.length)}</b>
    <span>${ui.words.outbox.kept}</span>
  </p>`;
}
