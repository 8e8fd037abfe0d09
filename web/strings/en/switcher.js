// @ts-check
/** Jumping to a room, a person or an action. */

import { counted } from "../en.js";

export const switcher = {
  switcher: {
    field: "Jump to a room or a person",
    rooms: "Rooms",
    people: "People",
    actions: "Do",
    here: "you are here",
    none: "Nothing has that name.",
    /** @param {string} name */
    openCalled: (name) => `Open a room called ${name}`,
    /** @param {string} room */
    inviteTo: (room) => `invite to ${room}`,
    move: "move",
    go: "go",
    results: "Results",
    /** @param {number} count */
    found: (count) => counted(count, { one: "result", other: "results" }),
  },
};
