// @ts-check
/** Looking for rooms and for people. */

import { counted } from "../en.js";

export const people = {
  find: {
    title: "Find rooms",
    field: "Name of a room",
    /** @param {number} count */
    members: (count) => counted(count, { one: "member", other: "members" }),
    join: "Join",
    go: "Go there",
    none: "No open room has that name.",
    noRooms: "There is no open room yet.",
    more: "Show more",
  },

  invite: {
    /** @param {string} room */
    title: (room) => `Invite to ${room}`,
    field: "Name of a person",
    add: "Invite",
    added: "Invited",
    in: "Already here",
    none: "Nobody has that name.",
    link: "Make an invite link",
  },
};
