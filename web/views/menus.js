// @ts-check
/** A menu below what was pressed: its rows by pointer, arrows or first letter; the settings are one of them. */

/** @import { Menu, MenuItem, Ui } from "./shell.js" */

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/all.js";
import { Icon, html } from "./parts.js";

/** @param {{ ui: Ui, menu: Menu }} props */
export function MenuView({ ui, menu }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const items = menu.kind === "settings" ? settingsOf(ui) : menu.items;
  const close = (/** @type {boolean} */ back) => {
    if (ui.menu.value === menu) ui.menu.value = null;
    if (back) menu.back?.focus({ preventScroll: true });
  };
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    place(element, menu);
    /** @type {HTMLElement | null} */ (element.querySelector("[role^=menuitem]"))?.focus({ preventScroll: true });
    const outside = (/** @type {Event} */ event) => {
      if (!element.contains(/** @type {Node} */ (event.target))) close(false);
    };
    const away = () => close(false);
    document.addEventListener("pointerdown", outside, true);
    addEventListener("resize", away);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      removeEventListener("resize", away);
    };
  }, [menu]);
  useEffect(() => mirrorExpanded(menu.back), [menu]);
  const run = (/** @type {MenuItem} */ item) => {
    close(true);
    item.run();
  };
  return html`<div class="menu" role="menu" aria-label=${menu.name} ref=${box}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => press(event, close)}>
    ${menu.kind === "settings" && html`<${Themes} ui=${ui} />`}
    ${items.map(
      (item) => html`${item.apart && html`<hr role="separator" />`}
        <button type="button" role="menuitem" tabindex="-1" class=${item.danger ? "menu__row is-danger" : "menu__row"}
          onClick=${() => run(item)}>
          ${item.icon && html`<${Icon} name=${item.icon} />`}
          ${item.sign && html`<span class="menu__sign" aria-hidden="true">${item.sign}</span>`}
          <span class="grow">${item.name}</span>
          ${item.keys && html`<kbd class="key">${item.keys}</kbd>`}
        </button>`,
    )}
  </div>`;
}

/**
 * Says on the button that its menu is open, for as long as it is.
 * @param {HTMLElement | null} button
 */
function mirrorExpanded(button) {
  if (!button?.hasAttribute("aria-haspopup")) return undefined;
  button.setAttribute("aria-expanded", "true");
  return () => button.removeAttribute("aria-expanded");
}

/**
 * Keeps the menu inside the window.
 * @param {HTMLElement} element
 * @param {Menu} menu
 */
function place(element, menu) {
  const { offsetWidth, offsetHeight } = element;
  const back = menu.back?.getBoundingClientRect();
  const above = (back && menu.y > back.bottom ? back.top : menu.y) - offsetHeight - 4;
  const below = menu.y + offsetHeight + 8 <= innerHeight;
  const x = Math.max(8, Math.min(menu.x, innerWidth - offsetWidth - 8));
  const y = below ? menu.y : Math.max(8, above);
  element.style.translate = `${x}px ${y}px`;
}

/**
 * @param {KeyboardEvent} event
 * @param {(back: boolean) => void} close
 */
function press(event, close) {
  const menu = /** @type {HTMLElement} */ (event.currentTarget);
  const rows = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll("[role^=menuitem]")]);
  const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const letter = event.key.length === 1 && !event.ctrlKey && !event.metaKey ? event.key.toLocaleLowerCase() : "";
  const begins = (/** @type {HTMLElement} */ row) => nameOf(row).startsWith(letter);
  const turned = [...rows.slice(at + 1), ...rows.slice(0, at + 1)];
  const to = {
    ArrowDown: rows[(at + 1) % rows.length],
    ArrowUp: rows[(at - 1 + rows.length) % rows.length],
    ArrowRight: rows[at]?.role === "menuitemradio" ? rows[at + 1] : undefined,
    ArrowLeft: rows[at]?.role === "menuitemradio" ? rows[at - 1] : undefined,
    Home: rows[0],
    End: rows[rows.length - 1],
  }[event.key] ?? (letter.trim() ? turned.find(begins) : undefined);
  if (to) {
    event.preventDefault();
    to.focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    close(true);
  }
  event.stopPropagation();
}

/** A row's text, to be found by its first letter. @param {HTMLElement} row */
const nameOf = (row) => ((row.querySelector(".grow") ?? row).textContent ?? "").trim().toLocaleLowerCase();

/** @param {{ ui: Ui }} props */
function Themes({ ui }) {
  const { words } = ui;
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "");
  const choices = /** @type {const} */ ([["light", words.me.light], ["dark", words.me.dark], ["", words.me.system]]);
  const choose = (/** @type {"light" | "dark" | ""} */ value) => {
    setTheme(value);
    ui.app.actions.setTheme(value);
  };
  return html`<div class="menu__themes" role="group" aria-label=${words.me.theme}>
    <p aria-hidden="true">${words.me.theme}</p>
    <div class="segments">
      ${choices.map(
        ([value, name]) =>
          html`<button type="button" role="menuitemradio" tabindex="-1" aria-checked=${theme === value}
            onClick=${() => choose(value)}>${name}
          </button>`,
      )}
    </div>
  </div>`;
}

/**
 * @param {Ui} ui
 * @returns {MenuItem[]}
 */
function settingsOf(ui) {
  const { words } = ui;
  const { me, may } = ui.app.state.value;
  /** @type {MenuItem[]} */
  const items = [{ name: words.me.keys, icon: "keys", run: () => ui.ask("keys"), keys: words.keys.keys, apart: true }];
  if (may.includes("invite")) items.push({ name: words.me.invite, icon: "link", run: () => ui.ask("link") });
  const leave = () =>
    ui.ask("confirm", {
      title: words.me.signOutTitle,
      text: me?.guest ? words.me.signOutGuest : words.me.signOutText,
      keep: words.me.stay,
      yes: words.me.signOut,
      run: () => ui.app.actions.signOut(),
    });
  items.push({ name: words.me.signOut, icon: "leave", run: leave, danger: true, apart: true });
  return items;
}
