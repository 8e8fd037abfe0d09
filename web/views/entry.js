// @ts-check
/** The front door: coming in as a guest, signing in, making an account with an invite, setting up the house. */

/** @import { InviteView, Refusal } from "../types/protocol.d.ts" */
/** @import { Place, Ui } from "./shell.js" */

import { useEffect, useRef, useState } from "../vendor/all.js";
import { Wrong, useWork } from "./dialogs.js";
import { Scene } from "./scene.js";
import { Avatar, Icon, Mark, html } from "./parts.js";

/** The token is read from the fragment, which no server and no log ever sees. */
const tokenOf = () => new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

/** @param {{ ui: Ui, place: Place }} props */
export function Entry({ ui, place }) {
  const { session, me } = ui.app.state.value;
  // A house without an owner has nobody to invite or to sign in; guests may be let in all the same.
  const page = session.setup && place.page !== "setup" && !session.guests ? "waiting" : place.page;
  const inside =
    page === "setup" || page === "waiting"
      ? html`<${SetUp} ui=${ui} waiting=${page === "waiting"} />`
      : page === "invite"
        ? me && !me.guest
          ? html`<${AlreadyIn} ui=${ui} />`
          : html`<${Invited} ui=${ui} />`
        : html`<${FrontDoor} ui=${ui} />`;
  return html`<div class="entry">
    <${Scene} name=${page === "setup" ? ui.words.entry.stepsName : undefined}>
      ${page === "setup" && html`<${Steps} ui=${ui} />`}
    <//>
    <main class="entry__main" aria-label=${session.name} id="conversation" tabindex="-1">
      <div class="entry__mark"><${Mark} /></div>
      ${inside}
    </main>
  </div>`;
}

/** @param {{ ui: Ui }} props */
function Steps({ ui }) {
  return html`<ol class="steps">
    ${ui.words.entry.steps.map(
      ([name, text], step) => html`<li class=${step ? "" : "is-on"} aria-current=${step ? undefined : "step"}>
        <span class="steps__number" aria-hidden="true">${step + 1}</span><span><b>${name}</b><small>${text}</small>
        </span>
      </li>`,
    )}
  </ol>`;
}

/**
 * A field with its label, its hint and, for a password, a way to see it.
 * @param {{
 *   ui: Ui, id: string, label: string, auto: string, hint?: string, secret?: boolean, first?: boolean, value?: string,
 *   max?: number, wrong?: string,
 * }} props
 */
function Field({ ui, id, label, auto, hint, secret, first, value, max, wrong }) {
  const [seen, setSeen] = useState(false);
  const { words } = ui;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <div class="field__line">
      <input class="input" id=${id} name=${id} type=${secret && !seen ? "password" : "text"} autocomplete=${auto}
        autofocus=${first} maxlength=${max} required
        autocapitalize=${secret ? "none" : undefined} spellcheck=${false} dir="auto" defaultValue=${value ?? ""}
          aria-invalid=${Boolean(wrong)} aria-describedby=${`${hint ? `${id}-hint ` : ""}form-wrong`} />
      ${secret &&
        html`<button type="button" class="field__show" aria-pressed=${seen}
          aria-label=${`${seen ? words.entry.hide : words.entry.show} ${label}`} onClick=${() => setSeen(!seen)}>
          ${seen ? words.entry.hide : words.entry.show}
        </button>`}
    </div>
    ${hint && html`<span class="hint" id=${`${id}-hint`}>${hint}</span>`}
  </div>`;
}

/**
 * A form that asks, sends once, and says what went wrong; what was typed stays.
 * @param {{
 *   ui: Ui, submit: string, send: (values: Record<string, string>) => Promise<unknown>, children?: any,
 *   refused?: (refusal: Refusal) => void,
 * }} props
 */
function Form({ ui, submit, send, children, refused }) {
  const { words } = ui;
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [missing, setMissing] = useState("");
  const work = useWork(ui);
  useEffect(() => {
    // A browser honours autofocus once per page, and these forms follow each other in one.
    /** @type {HTMLElement | null} */ (form.current?.querySelector("[autofocus]"))?.focus();
  }, []);
  const go = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const fields =
      /** @type {HTMLInputElement[]} */ ([.../** @type {HTMLFormElement} */ (form.current).querySelectorAll("input")]);
    const empty = fields.find((field) => !(field.type === "password" ? field.value : field.value.trim()));
    const isSecret = (/** @type {HTMLInputElement} */ field) => field.autocomplete.includes("password");
    setMissing(!empty ? "" : isSecret(empty) ? words.entry.passwordMissing : words.entry.nameMissing);
    if (empty) return empty.focus();
    const values = Object.fromEntries(
      fields.map((field) => [field.name, isSecret(field) ? field.value : field.value.trim()]));
    const done = await work.run(() =>
      send(values).catch((refusal) => {
        refused?.(refusal);
        throw refusal;
      }),
    );
    if (!done) (fields.find(isSecret) ?? fields[0])?.focus();
    return undefined;
  };
  return html`<form class="form" ref=${form} novalidate onSubmit=${go}>
    ${children}
    <${Wrong} id="form-wrong" text=${missing || work.wrong} />
    <button type="submit" class="button is-main is-large is-wide" aria-busy=${work.busy}>${submit}</button>
  </form>`;
}

/** Guest or account. @param {{ ui: Ui }} props */
function FrontDoor({ ui }) {
  const { words, app } = ui;
  const { session, limits } = app.state.value;
  const [way, setWay] = useState(session.guests && app.state.value.path !== "/sign-in" ? "guest" : "sign-in");
  const ways =
    [["guest", words.entry.asGuest], session.setup ? ["setup", words.entry.setUp] : ["sign-in", words.entry.signIn]];
  const title = { guest: words.entry.title, setup: words.entry.setUpTitle }[way] ?? words.entry.signInTitle;
  return html`<div class="entry__form">
    <p class="entry__house">${session.name}</p>
    <h1 class="display">${title}</h1>
    ${session.guests && html`<${Ways} name=${words.entry.ways} ways=${ways} way=${way} choose=${setWay} />`}
    <div role=${session.guests ? "tabpanel" : undefined} id="way"
      aria-labelledby=${session.guests ? `way-${way}` : undefined}>
      ${way === "guest"
        ? html`<${Form} key="guest" ui=${ui} submit=${words.entry.join}
          send=${(/** @type {any} */ draft) => app.actions.comeIn({ name: draft.name })}>
            <${Field} ui=${ui} id="name" label=${words.entry.callYou} auto="nickname" first
              hint=${words.entry.guestHint} max=${limits.name_chars} />
          <//>`
        : way === "setup"
          ? html`<${SetUpForm} ui=${ui} />`
          : html`<${SignInForm} ui=${ui} />`}
    </div>
    ${!session.setup && html`<p class="hint">${session.guests ? words.entry.onlyGuests : words.entry.noAccount}</p>`}
  </div>`;
}

/** @param {{ name: string, ways: string[][], way: string, choose: (way: string) => void }} props */
function Ways({ name, ways, way, choose }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    const next = ways.findIndex(([one]) => one !== way);
    choose(ways[next][0]);
    /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (event.currentTarget).children[next]).focus();
  };
  return html`<div class="segments is-tall" role="tablist" aria-label=${name} onKeyDown=${move}>
    ${ways.map(
      ([one, text]) =>
        html`<button type="button" role="tab" id=${`way-${one}`} aria-controls="way" aria-selected=${one === way}
          tabindex=${one === way ? 0 : -1} onClick=${() => choose(one)}>${text}
        </button>`,
    )}
  </div>`;
}

/** @param {{ ui: Ui }} props */
function SignInForm({ ui }) {
  const { words, app } = ui;
  return html`<${Form} key="sign-in" ui=${ui} submit=${words.entry.signIn}
    send=${(/** @type {any} */ draft) => app.actions.signIn({ name: draft.name, password: draft.password })}>
    <${Field} ui=${ui} id="name" label=${words.entry.name} auto="username" first />
    <${Field} ui=${ui} id="password" label=${words.entry.password} auto="current-password" secret />
  <//>`;
}

/** @param {{ ui: Ui }} props */
function Invited({ ui }) {
  const { words, app } = ui;
  const { session, limits } = app.state.value;
  const [token] = useState(tokenOf);
  const [view, setView] = useState(/** @type {InviteView | null} */ (null));
  const [spent, setSpent] = useState(!token);
  const [wrong, setWrong] = useState("");
  const look = () => {
    setWrong("");
    app.actions.viewInvite(token).then(setView, (refusal) => refused(refusal));
  };
  const refused = (/** @type {Refusal} */ refusal) => {
    if (refusal.code === "link_spent" || refusal.code === "not_found") setSpent(true);
    else setWrong(words.refusal(refusal));
  };
  useEffect(() => {
    if (token) look();
  }, []);
  if (spent) return html`<${Spent} ui=${ui} title=${words.entry.spentTitle} text=${words.entry.spentText} />`;
  if (!view) {
    return html`<div class="entry__form"><p class="hint" role="status">${wrong ? "" : words.entry.looking}</p>
      <${Wrong} text=${wrong} />
      ${wrong && html`<button type="button" class="button is-plain" onClick=${look}>${words.retry}</button>`}</div>`;
  }
  const send = (/** @type {any} */ draft) =>
    app.actions.signUp({ invite: token, name: draft.name, password: draft.password });
  const onRefused = (/** @type {Refusal} */ refusal) => refusal.code === "link_spent" && setSpent(true);
  return html`<div class="entry__form">
    <p class="host">
      <${Avatar} user=${view.by} size=${40} />
      <span><b>${view.by.name}</b>${words.entry.askedIn(view.room ?? null)}<br />
        <small>${words.entry.linkUntil(session.name, view.expires_at)}</small>
      </span>
    </p>
    <h1 class="display">${words.entry.signUpTitle}</h1>
    <${Form} ui=${ui} submit=${view.room ? words.entry.signUpTo(view.room) : words.entry.signUp} send=${send}
      refused=${onRefused}>
      <${Field} ui=${ui} id="name" label=${words.entry.callYou} auto="username" first max=${limits.name_chars} />
      <${Field} ui=${ui} id="password" label=${words.entry.password} auto="new-password" secret
        hint=${words.entry.passwordHint(limits.password_chars)} />
    <//>
    <p class="hint">${words.entry.haveAccount} <${SignInLink} ui=${ui} /></p>
  </div>`;
}

/** @param {{ ui: Ui }} props */
function SignInLink({ ui }) {
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    ui.app.actions.navigate("/sign-in");
  };
  return html`<a href="/sign-in" onClick=${go}>${ui.words.entry.signIn}</a>`;
}

/**
 * A link that opens nothing any more, and the ways that are left.
 * @param {{ ui: Ui, title: string, text: string }} props
 */
function Spent({ ui, title, text }) {
  const { words } = ui;
  const { session } = ui.app.state.value;
  return html`<div class="entry__form">
    <h1 class="display">${title}</h1>
    <p class="lead">${text}</p>
    <${SignInForm} ui=${ui} />
    ${session.guests &&
      html`<p class="hint">
        <a href="/" onClick=${(/** @type {Event} */ event) => (event.preventDefault(), ui.app.actions.navigate("/"))}>
          ${words.entry.comeAsGuest}
      </a>
      </p>`}
  </div>`;
}

/** @param {{ ui: Ui }} props */
function AlreadyIn({ ui }) {
  const { words, app } = ui;
  const { me } = app.state.value;
  const [token] = useState(tokenOf);
  const [wrong, setWrong] = useState("");
  const join = () =>
    app.actions.acceptInvite(token).then(
      (room) => app.actions.navigate(room ? `/rooms/${room.id}` : "/"),
      (refusal) => setWrong(words.refusal(refusal)),
    );
  const leads = token !== "";
  return html`<div class="entry__form">
    <h1 class="display">${words.entry.signedInAs(me?.name ?? "")}</h1>
    <p class="lead">${leads ? words.entry.joinText : words.entry.signedInText}</p>
    <${Wrong} text=${wrong} />
    ${leads &&
      html`<button type="button" class="button is-main is-large" onClick=${join}>${words.entry.join}</button>`}
    <button type="button" class=${`button is-large ${leads ? "is-plain" : "is-main"}`}
      onClick=${() => app.actions.navigate("/")}>${words.entry.goIn}
    </button>
    <button type="button" class="button is-plain is-large" onClick=${() => void app.actions.signOut()}>
      ${words.me.signOut}
    </button>
  </div>`;
}

/** @param {{ ui: Ui, waiting: boolean }} props */
function SetUp({ ui, waiting }) {
  const { words, app } = ui;
  if (!app.state.value.session.setup) {
    return html`<${Spent} ui=${ui} title=${words.entry.setUpSpentTitle} text=${words.entry.setUpSpentText} />`;
  }
  return html`<div class="entry__form">
    <div>
      <h1 class="display">${waiting ? words.entry.waitingTitle : words.entry.setUpTitle}</h1>
      <p class="lead">${waiting ? words.entry.waitingText : words.entry.setUpText}</p>
    </div>
    <${SetUpForm} ui=${ui} />
  </div>`;
}

/** @param {{ ui: Ui }} props */
function SetUpForm({ ui }) {
  const { words, app } = ui;
  const { limits } = app.state.value;
  const [token] = useState(tokenOf);
  const [stale, setStale] = useState(false);
  const send = async (/** @type {any} */ draft) => {
    await app.actions.setUp({ token: token || draft.token, name: draft.name, password: draft.password });
    ui.ask("ready");
  };
  const refused = (/** @type {Refusal} */ refusal) => setStale(refusal.code === "link_spent");
  return html`<${Form} ui=${ui} submit=${words.entry.submitSetUp} send=${send} refused=${refused}>
    ${token && !stale && html`<p class="tag is-good"><${Icon} name="check" size="small" />${words.entry.keyGood}</p>`}
    ${stale && html`<p class="hint">${words.entry.setUpStale}</p>`}
    ${!token &&
      html`<${Field} ui=${ui} id="token" label=${words.entry.setUpKey} auto="off" first
        hint=${words.entry.setUpKeyHint} />`}
    <${Field} ui=${ui} id="name" label=${words.entry.yourName} auto="username" first=${Boolean(token)}
      max=${limits.name_chars} />
    <${Field} ui=${ui} id="password" label=${words.entry.password} auto="new-password" secret
      hint=${words.entry.passwordHint(limits.password_chars)} />
  <//>`;
}
