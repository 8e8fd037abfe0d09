// @ts-check
/** Dialogs: their frame, and the short ones. The browser keeps the focus inside and gives it back. */

/** @import { Room, RoomKind } from "../types/protocol.d.ts" */
/** @import { Dialog, Ui } from "./shell.js" */

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/all.js";
import { Icon, Tool, html, later } from "./parts.js";

const Switcher = later(() => import("./switcher.js").then((all) => all.Switcher), "switcher", "people");
const Find = later(() => import("./people.js").then((all) => all.Find), "people");
const Invite = later(() => import("./people.js").then((all) => all.Invite), "people");

/** @type {Record<string, any>} */
const views = {
  switcher: Switcher, find: Find, invite: Invite, open: OpenRoom, link: InviteLink, ready: Ready, confirm: Confirm,
  notice: Notice, copy: CopyOut, keys: Keys,
};

/** @param {{ ui: Ui, dialog: Dialog }} props */
export function Overlay({ ui, dialog }) {
  const View = views[dialog.view];
  return html`<${View} key=${dialog.view} ui=${ui} ...${dialog.props} />`;
}

/**
 * The frame of every dialog.
 * @param {{ ui: Ui, title: string, look?: string, bare?: boolean, children?: any }} props
 */
export function Frame({ ui, title, look, bare, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const element = /** @type {HTMLDialogElement} */ (box.current);
    const back = /** @type {HTMLElement | null} */ (document.activeElement);
    element.showModal();
    // After it was taken away: a field that gets the focus while the dialog still stands takes no letters (Chromium).
    return () =>
      queueMicrotask(() => {
        if (document.activeElement !== document.body) return;
        if (back?.isConnected && back !== document.body) back.focus({ preventScroll: true });
        else ui.writing?.focus();
      });
  }, []);
  const close = () => (ui.dialog.value = null);
  const press = (/** @type {MouseEvent} */ event) => {
    if (event.target === box.current) close();
  };
  return html`<dialog ref=${box} class="dialog${look ? ` ${look}` : ""}" aria-label=${title}
    onCancel=${(/** @type {Event} */ event) => (event.preventDefault(), close())} onPointerDown=${press}>
    <div class="dialog__inside">
      ${!bare &&
        html`<header class="dialog__head"><h2>${title}</h2>
          <${Tool} icon="close" name=${ui.words.close} press=${close} />
        </header>`}
      ${children}
    </div>
  </dialog>`;
}

/**
 * Runs something once at a time and keeps what went wrong.
 * @param {Ui} ui
 * @returns {{ busy: boolean, wrong: string, run: (work: () => Promise<unknown>) => Promise<boolean> }}
 */
export function useWork(ui) {
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  /** @param {() => Promise<unknown>} work */
  const run = async (work) => {
    if (busy) return false;
    setBusy(true);
    setWrong("");
    try {
      await work();
      return true;
    } catch (refusal) {
      setWrong(ui.words.refusal(/** @type {any} */ (refusal)));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, wrong, run };
}

/** What went wrong, in a place of its own. @param {{ text: string, id?: string }} props */
export function Wrong({ text, id }) {
  return html`<div role="alert" id=${id}>
    ${text && html`<p class="wrong"><${Icon} name="alert" size="small" /><span>${text}</span></p>`}
  </div>`;
}

/** @param {{ ui: Ui, title: string, text: string, keep: string, yes: string, run: () => Promise<unknown> }} props */
function Confirm({ ui, title, text, keep, yes, run }) {
  const work = useWork(ui);
  const close = () => (ui.dialog.value = null);
  const answer = async () => {
    if (await work.run(run)) close();
  };
  return html`<${Frame} ui=${ui} title=${title} bare>
    <h2>${title}</h2>
    <p class="dialog__text">${text}</p>
    <${Wrong} text=${work.wrong} />
    <div class="dialog__answers">
      <button type="button" class="button is-plain" autofocus onClick=${close}>${keep}</button>
      <button type="button" class="button is-danger" aria-busy=${work.busy} onClick=${answer}>${yes}</button>
    </div>
  <//>`;
}

/** @param {{ ui: Ui, title: string, text: string }} props */
function Notice({ ui, title, text }) {
  return html`<${Frame} ui=${ui} title=${title} bare>
    <h2>${title}</h2>
    <p class="dialog__text">${text}</p>
    <div class="dialog__answers">
      <button type="button" class="button is-plain" autofocus onClick=${() => (ui.dialog.value = null)}>
        ${ui.words.close}
    </button>
    </div>
  <//>`;
}

/** @param {{ ui: Ui, name?: string }} props */
function OpenRoom({ ui, name = "" }) {
  const { words, app } = ui;
  const { may, limits } = app.state.value;
  const choices = [
    ...(may.includes("open_room") ? [["open", words.open.open]] : []),
    ...(may.includes("open_closed") ? [["closed", words.open.closed]] : []),
  ];
  const [kind, setKind] = useState(/** @type {RoomKind} */ (choices[0]?.[0] ?? "open"));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const work = useWork(ui);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const wanted = field.current?.value.trim() ?? "";
    if (!wanted) return field.current?.focus();
    const done = await work.run(async () => {
      const room = await app.actions.openRoom({ name: wanted, kind });
      ui.dialog.value = null;
      app.actions.navigate(`/rooms/${room.id}`);
    });
    if (!done) field.current?.focus();
    return undefined;
  };
  return html`<${Frame} ui=${ui} title=${words.open.title}>
    <form class="form" onSubmit=${submit}>
      <div class="field">
        <label for="open-name">${words.open.name}</label>
        <input ref=${field} class="input" id="open-name" autofocus autocomplete="off"
          maxlength=${limits.name_chars} defaultValue=${name} dir="auto"
          aria-invalid=${Boolean(work.wrong)} aria-describedby="open-wrong" />
        <${Wrong} id="open-wrong" text=${work.wrong} />
      </div>
      ${choices.length > 1 &&
        html`<${Choice} name=${words.open.kind} value=${kind} choose=${setKind} choices=${choices} />`}
      <p class="hint">${kind === "open" ? words.open.openHint : words.open.closedHint}</p>
      <div class="dialog__answers">
        <button type="button" class="button is-plain" onClick=${() => (ui.dialog.value = null)}>${words.cancel}</button>
        <button type="submit" class="button is-main" aria-busy=${work.busy}>${words.open.submit}</button>
      </div>
    </form>
  <//>`;
}

/**
 * Two or three answers that exclude each other.
 * @param {{ name: string, value: string, choose: (value: any) => void, choices: string[][] }} props
 */
export function Choice({ name, value, choose, choices }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = choices.findIndex(([one]) => one === value);
    const next = (at + step + choices.length) % choices.length;
    choose(choices[next][0]);
    /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (event.currentTarget).children[next]).focus();
  };
  return html`<div class="field">
    <span class="field__name" id="choice-name">${name}</span>
    <div class="segments" role="radiogroup" aria-labelledby="choice-name" onKeyDown=${move}>
      ${choices.map(
        ([one, text]) =>
          html`<button type="button" role="radio" aria-checked=${one === value} tabindex=${one === value ? 0 : -1}
            onClick=${() => choose(one)}>${text}
          </button>`,
      )}
    </div>
  </div>`;
}

/** @param {{ ui: Ui, room?: Room }} props */
function InviteLink({ ui, room }) {
  const { words } = ui;
  return html`<${Frame} ui=${ui} title=${words.link.title}>
    <p class="dialog__text">${words.link.text(room?.name ?? null)}</p>
    <${NewLink} ui=${ui} room=${room?.id} />
    <div class="dialog__answers">
      <button type="button" class="button is-plain" onClick=${() => (ui.dialog.value = null)}>${words.link.done}
    </button>
    </div>
  <//>`;
}

/** The owner is made: a link for the first people, then the rooms. @param {{ ui: Ui }} props */
function Ready({ ui }) {
  const { words } = ui;
  return html`<${Frame} ui=${ui} title=${words.ready.title} bare>
    <h2 class="display">${words.ready.title}</h2>
    <p class="dialog__text">${words.ready.text}</p>
    <${NewLink} ui=${ui} />
    <div class="dialog__answers">
      <button type="button" class="button is-plain" onClick=${() => (ui.dialog.value = null)}>${words.ready.go}</button>
    </div>
  <//>`;
}

/** Makes an invite link, once, and shows it. @param {{ ui: Ui, room?: string }} props */
export function NewLink({ ui, room }) {
  const { words, app } = ui;
  const [made, setMade] = useState(/** @type {import("../types/protocol.d.ts").NewInvite | null} */ (null));
  const work = useWork(ui);
  const make = () => work.run(async () => setMade(await app.actions.createInvite({ room })));
  const connected = app.state.value.connection.status === "open";
  useEffect(() => {
    if (connected && !made) void make();
  }, [connected]);
  const link = made ? location.origin + made.link : "";
  return html`<div class="made">
    <div class="made__line">
      <input class="input" readonly aria-label=${words.link.field} value=${link || words.link.making}
        onFocus=${(/** @type {any} */ event) => event.target.select()} />
      <button type="button" class="button is-main is-large" aria-disabled=${!link}
        onClick=${() => link && ui.copy(link)}><${Icon} name="copy" /><span>${words.copy}</span>
      </button>
    </div>
    ${made && html`<p class="hint">${words.link.facts(made.uses, made.expires_at)}</p>`}
    <${Wrong} text=${work.wrong} />
    ${work.wrong && html`<button type="button" class="button is-plain" onClick=${make}>${words.retry}</button>`}
  </div>`;
}

/** For browsers that keep the clipboard to themselves. @param {{ ui: Ui, text: string }} props */
function CopyOut({ ui, text }) {
  const { words } = ui;
  return html`<${Frame} ui=${ui} title=${words.copyOut.title}>
    <p class="dialog__text">${words.copyOut.text}</p>
    <textarea class="input" readonly rows="3" aria-label=${words.copyOut.title} autofocus
      onFocus=${(/** @type {any} */ event) => event.target.select()} defaultValue=${text}>
    </textarea>
  <//>`;
}

/** @param {{ ui: Ui }} props */
function Keys({ ui }) {
  const { words } = ui;
  return html`<${Frame} ui=${ui} title=${words.keys.title}>
    ${words.keys.groups.map(({ name, list }) => html`<h3 class="keys__place">${name}</h3>
      <dl class="keys">
        ${list.map(([key, what]) => html`<div><dt><kbd class="key">${key}</kbd></dt><dd>${what}</dd></div>`)}
      </dl>`)}
  <//>`;
}
