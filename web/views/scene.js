// @ts-check
/** The drawing beside the front door: a wall at dusk, a lit doorway, people inside, somebody on the way. */

import { html } from "./parts.js";

/**
 * A person: a head over an arch. Place of the feet, size, colour.
 * @typedef {[x: number, y: number, size: number, look: string]} Figure
 */

/** @type {Figure[]} */
const far = [
  [236, 640, 0.8, "is-far-1"], [300, 640, 0.86, "is-far-2"], [374, 640, 0.8, "is-far-1"], [446, 640, 0.88, "is-far-2"],
];
/** @type {Figure[]} */
const nearby = [
  [336, 690, 0.84, "hue-7"], [262, 704, 1.02, "hue-1"], [420, 704, 1.1, "hue-5"], [342, 714, 0.82, "hue-3"],
];

/**
 * @param {Figure} figure
 * @param {number} tall
 */
function person([x, y, size, look], tall = 150) {
  const half = 38 * size;
  const top = y - tall * size;
  return html`<g class="scene__person ${look}">
    <circle cx=${x} cy=${top - 30 * size} r=${22 * size} />
    <path d=${`M${x - half} ${y}V${top + half}a${half} ${half} 0 0 1 ${2 * half} 0V${y}z`} />
  </g>`;
}

/**
 * @param {{ name?: string, children?: any }} props `name`: of what stands in it, where that is more than the drawing.
 */
export function Scene({ name, children }) {
  return html`<div class="scene" role=${name && "complementary"} aria-label=${name}>
    <svg class="scene__art" viewBox="0 0 660 900" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
      <path class="scene__skirting" d="M0 610h660v90H0z" />
      <path class="scene__rail" stroke-width="1.5" d="M0 610h660" />
      <path class="scene__floor" d="M0 700h660v200H0z" />
      <path class="scene__spill" d="M204 700h272l118 200H62z" />
      <path class="scene__spill" d="M242 700h196l64 200H152z" />
      <path class="scene__frame" d="M194 700V416a146 146 0 0 1 292 0v284z" />
      <clipPath id="doorway"><path d="M210 700V416a130 130 0 0 1 260 0v284z" /></clipPath>
      <g clip-path="url(#doorway)">
        <path class="scene__inside" d="M200 270h280v440H200z" />
        <path class="scene__inside-floor" d="M200 610h280v100H200z" />
        <path class="scene__cord" stroke-width="2" d="M340 270v94" />
        <path class="scene__lamp" d="M310 380a30 30 0 0 1 60 0z" />
        <circle class="scene__bulb" cx="340" cy="384" r="8" />
        <path class="scene__window" stroke-width="3" d="M404 452h50v62h-50zM404 483h50M429 452v62" />
        ${far.map((one) => person(one, 88))}
        ${nearby.map((one) => person(one, 116))}
      </g>
      <path class="scene__door-edge" d="M486 716 590 760V440c0-62-46-116-104-128z" />
      <path class="scene__door" d="M500 700 576 736V446c0-46-32-86-76-100z" />
      <circle class="scene__knob" cx="570" cy="582" r="6" />
      <path class="scene__paper" d="M110 452h44v58h-44z" />
      <path class="scene__lines" stroke-width="3" d="M118 467h28M118 477h28M118 487h18" />
      <circle class="scene__knob" cx="132" cy="446" r="3" />
      <path class="scene__shadow" d="M92 846 0 900h128l52-54z" />
      <g class="is-lit">${person([139, 846, 1.28, ""], 136)}</g>
      <g class="is-dark">${person([135, 846, 1.28, ""], 136)}</g>
    </svg>
    <svg class="scene__word" viewBox="0 0 124 40" role="img" aria-label="Roomful">
      <g transform="translate(2 1)">
        <path class="scene__word-light" d="M71.800 30v-9.500a3.700 3.700 0 0 1 7.400 0V30z" />
        <path class="scene__word-line" stroke-width="3.7" d="
          M4 30V8h7a6.200 6.200 0 0 1 0 12.400H4M10.600 20.400 17.400 30
          M34.600 21.500a6.600 6.600 0 1 1-13.200 0 6.600 6.600 0 0 1 13.200 0z
          M52.900 21.500a6.600 6.600 0 1 1-13.200 0 6.600 6.600 0 0 1 13.200 0z
          M59 30V13M59 20.500a5.500 5.500 0 0 1 11 0V30M70 20.500a5.500 5.500 0 0 1 11 0V30
          M89 30V11.400A5.200 5.200 0 0 1 94.200 6.200H96M84.800 15H95
          M99.500 13v9a5.600 5.600 0 0 0 11.200 0M110.700 13v17M118 5v25" />
      </g>
    </svg>
    ${children}
  </div>`;
}
