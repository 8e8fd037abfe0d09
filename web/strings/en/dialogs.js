// @ts-check
/** The short dialogs: opening a room, an invite link, what cannot be copied. */

import { counted, day } from "../en.js";

export const dialogs = {
  open: {
    title: "Open a room",
    name: "Name",
    kind: "Who finds it?",
    open: "Everybody",
    closed: "Invited people",
    openHint: "Everybody on this server finds it and may join.",
    closedHint: "Nobody sees it but its members. You invite them.",
    submit: "Open the room",
  },

  link: {
    title: "Invite link",
    /** @param {string | null} room */
    text: (room) =>
      (room ? `Whoever opens it makes an account and lands in ${room}.` : "Whoever opens it makes an account here."),
    field: "Link",
    /** @param {number} uses @param {number} at */
    facts: (uses, at) =>
      `Works ${counted(uses, { one: "time", other: "times" })}, until ${day(at)}. It is shown this once.`,
    making: "Making the link",
    done: "Done",
  },

  ready: {
    title: "The house is open.",
    text: "You are its owner. Send this link to the first people; more can be made at any time.",
    go: "Go to the lobby",
  },

  copyOut: {
    title: "Copy this",
    text: "The browser did not let the page write to the clipboard.",
  },
};
