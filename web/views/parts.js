// @ts-check
/** Small parts that several views draw: the template tag, icons, doors, people. */

/** @import { ComponentChildren, ComponentType } from "../vendor/all.js" */
/** @import { RoomKind, User } from "../types/protocol.d.ts" */
/** @import { Noun } from "../types/state.d.ts" */
/** @import { Ui } from "./shell.js" */

import { Component, h, htm } from "../vendor/all.js";

/** Draws elements: `` html`<p class="lead">${text}</p>` ``. Text in it is always text, never markup. */
export const html = /** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */ (htm.bind(h));

/**
 * A view that is drawn again only when one of its props is another object than before.
 * @template P
 * @param {(props: P) => ComponentChildren} view
 * @returns {ComponentType<P>}
 */
export function still(view) {
  return /** @type {any} */ (
    class extends Component {
      /** @param {any} next */
      shouldComponentUpdate(next) {
        const now = /** @type {any} */ (this.props);
        for (const key in next) if (next[key] !== now[key]) return true;
        for (const key in now) if (!(key in next)) return true;
        return false;
      }
      render() {
        return view(/** @type {any} */ (this.props));
      }
    }
  );
}

/** One path each, on a 24-unit grid with a stroke of 1.5. */
const drawings = {
  search: "M4.5 11a6.500 6.500 0 1 0 13 0 6.500 6.500 0 1 0-13 0M20 20l-4.400-4.400",
  plus: "M12 5v14M5 12h14",
  smile: "M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0M8.800 14a3.700 3.700 0 0 0 6.400 0M9.300 9.500v.6M14.700 9.500v.6",
  settings:
    "M4 7.500h8.500M17.500 7.500H20M4 16.500h2.500M11.500 16.500H20"
    + "M12.500 7.500a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0"
    + "M6.500 16.500a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0",
  people:
    "M6 8.500a3 3 0 1 0 6 0 3 3 0 1 0-6 0M3.500 19v-1a5.500 5.500 0 0 1 11 0v1zM15.500 5.800a3 3 0 0 1 0 5.400"
    + "M17.300 13.600a5.500 5.500 0 0 1 3.200 4.900v.5",
  more: "M5.900 12h.2M11.900 12h.2M17.900 12h.2",
  edit: "m14.500 5.500 4 4L9 19l-5 1 1-5zM12.500 7.500l4 4",
  bin: "M5 7h14M9.500 7V4.500h5V7M7 7l.8 12.500h8.400L17 7M10.300 10.500v5.500M13.700 10.500v5.500",
  copy:
    "M8.500 10.500a2 2 0 0 1 2-2h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2z"
    + "M15.500 5.500a1 1 0 0 0-1-1h-8a2 2 0 0 0-2 2v8a1 1 0 0 0 1 1",
  keys:
    "M4 7.500a1 1 0 0 1 1-1h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zM7.500 10h.1M10.500 10h.1"
    + "M13.500 10h.1M16.500 10h.1M8.500 14h7",
  link: "M10 14a4 4 0 0 0 5.700 0l3-3A4 4 0 0 0 13 5.300l-1 1M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1",
  send: "M12 19.500v-15M6 10l6-6 6 6",
  down: "m7 10 5 5 5-5",
  forward: "m10 7 5 5-5 5",
  back: "M19 12H5M11 6l-6 6 6 6",
  close: "m6.500 6.500 11 11M17.500 6.500l-11 11",
  check: "m5 12.500 4.500 4.500L19 7.500",
  clock: "M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0M12 7.500V12l3 2",
  alert: "M12 4 3.500 19.500h17zM12 10v4.500M12 17v.2",
  offline:
    "M4 9.500a12 12 0 0 1 4-2.400M12 6.300c3 0 5.900 1.200 8 3.200M7 13a7.500 7.500 0 0 1 3-1.700"
    + "M15.500 12a7.500 7.500 0 0 1 1.500 1M12 17.500h.01M4 4l16 16",
  leave: "M13.500 4.500h-8v15h8M10 12h10M16.500 8.500 20 12l-3.500 3.500",
  guest:
    "M6.500 20v-9a5.500 5.500 0 0 1 11 0v9M10.200 12.200a1.800 1.800 0 1 0 3.600 0 1.800 1.800 0 1 0-3.600 0"
    + "M9.500 20v-1.500a2.500 2.500 0 0 1 5 0V20",
};

/** @typedef {keyof typeof drawings} IconName */

const turning = new Set(["back", "forward", "leave"]);

/** @param {{ name: IconName, size?: "small" | "large" }} props */
export function Icon({ name, size }) {
  const look = `icon${size ? ` is-${size}` : ""}${turning.has(name) ? " turns" : ""}`;
  const stroke = name === "more" ? "2.6" : "1.5";
  return html`<svg class=${look} viewBox="0 0 24 24" stroke-width=${stroke} aria-hidden="true">
    <path d=${drawings[name]} />
  </svg>`;
}

/**
 * The sign of a room: an arch with a leaf ajar, or with a keyhole. Its light is a matter of style sheets.
 * @param {{ kind: RoomKind, size?: "large" }} props
 */
export function Door({ kind, size }) {
  const look = `icon door${size ? ` is-${size}` : ""}`;
  if (kind === "open") {
    return html`<svg class=${look} viewBox="0 0 24 24" stroke-width="1.5" aria-hidden="true">
      <path class="opening" d="M5.500 20.500V10a6.500 6.500 0 0 1 13 0v10.500z" />
      <path class="leaf" d="M5.500 20.500V10c0-2.300 1.200-4.300 3-5.500l2.500 3.300v10.700z" />
    </svg>`;
  }
  return html`<svg class=${look} viewBox="0 0 24 24" stroke-width="1.5" aria-hidden="true">
    <path class="opening" d="M6 20.500V9.800a6 6 0 0 1 12 0v10.700z" />
    <path d="M10.500 11.800a1.500 1.500 0 1 0 3 0 1.500 1.500 0 1 0-3 0M12 13.300v3" />
  </svg>`;
}

/** The tile of the logo: people in a lit doorway. */
export function Mark() {
  return html`<svg class="mark" viewBox="0 0 40 40" aria-hidden="true">
    <rect width="40" height="40" rx="9" fill="#0e5a63" />
    <path d="M10 31.500h20l5.200 7.100A9 9 0 0 1 31 40H9a9 9 0 0 1-4.200-1.400z" fill="#5d8f7b" />
    <path d="M10 31.500V17a10 10 0 0 1 20 0v14.500z" fill="#f4b942" />
    <path fill="#b06f12" d="
      M14 18.600a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5zm12 0a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5z
      M10 31.500v-3a4 4 0 0 1 8 0v3zm12 0v-3a4 4 0 0 1 8 0v3z" />
    <path fill="#0b3f46" d="
      M20 14a3.300 3.300 0 1 1 0 6.600 3.300 3.300 0 0 1 0-6.600z
      M14.700 31.500v-4.700a5.300 5.300 0 0 1 10.600 0v4.700z" />
  </svg>`;
}

/**
 * Up to two letters that stand for a name.
 * @param {string} name
 * @param {number} [most]
 */
export function initials(name, most = 2) {
  const words = name.trim().split(/\s+/u);
  const chosen = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return chosen.slice(0, most).map((word) => [...word][0] ?? "").join("").toLocaleUpperCase();
}

/**
 * One of eight colours, always the same for the same user.
 * @param {string} id
 */
export function hueOf(id) {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  return (sum % 8) + 1;
}

/** @param {{ user: User, size?: 20 | 22 | 24 | 30 | 40, presence?: "here" | "away" }} props */
export function Avatar({ user, size, presence }) {
  const small = size !== undefined && size < 30;
  const look = `avatar hue-${hueOf(user.id)}${size ? ` is-${size}` : ""}`;
  return html`<span class=${look} aria-hidden="true">
    ${initials(user.name, small ? 1 : 2)}
    ${presence && html`<span class="presence${presence === "away" ? " is-away" : ""}"></span>`}
  </span>`;
}

/**
 * An icon that is pressed; its name is its tooltip.
 * @param {{
 *   icon: IconName, name: string, press: (event: MouseEvent) => void, look?: string,
 * } & Record<string, any>} props
 */
export function Tool({ icon, name, press, look, ...rest }) {
  return html`<button type="button" class="tool${look ? ` ${look}` : ""}" aria-label=${name} title=${name}
    onClick=${press} ...${rest}>
    <${Icon} name=${icon} />
  </button>`;
}

/**
 * A view whose code is fetched when it is first drawn, with the texts that it shows.
 * @template P
 * @param {() => Promise<ComponentType<P>>} load
 * @param {...Noun} nouns
 * @returns {ComponentType<P>}
 */
export function later(load, ...nouns) {
  /** @type {ComponentType<P> | null} */
  let View = null;
  return /** @type {any} */ (
    class extends Component {
      componentDidMount() {
        if (View) return;
        const { ui } = /** @type {{ ui: Ui }} */ (/** @type {unknown} */ (this.props));
        Promise.all([load(), ...nouns.map((noun) => ui.app.learn(noun))]).then(
          ([loaded]) => {
            View = loaded;
            this.setState({});
          },
          () => ui.broke(),
        );
      }
      render() {
        if (View) return h(/** @type {any} */ (View), this.props);
        return null;
      }
    }
  );
}
