// @ts-check
/** Rooms with nothing in them yet, and rooms one cannot see. */

export const empty = {
  removed: {
    /** @param {string | null} by @param {string} room */
    title: (by, room) => (by ? `${by} removed you from ${room}.` : `You are no longer in ${room}.`),
    open: "It is an open room: you can join it again.",
    closed: "What is said there is not told to you any more. Somebody in it can invite you again.",
    close: "Close the room",
  },

  absent: {
    title: "This door stays shut.",
    text: "The room is gone, or not yours to see.",
    joinTitle: /** @param {string} room */ (room) => `You are not in ${room}.`,
    joinText: "It is an open room: come in and read from the first line.",
    /** @param {string} room */
    join: (room) => `Join ${room}`,
    noneTitle: "You are in no room.",
    noneText: "Find one to join, or open one of your own.",
  },

  empty: {
    title: "The door is open, the chairs are out.",
    closedTitle: "The room is yours, the chairs are out.",
    /** @param {string} room */
    text: (room) =>
      `This is the beginning of ${room}. Whatever is said here stays here, in order, `
      + "and anyone who joins later can read it from the first line.",
    invite: "Bring people in",
    inviteText: "Add members by name",
    link: "Send an invite link",
    linkText: "Whoever opens it makes an account and lands here",
    write: "Write the first message",
    writeText: "It can be edited and deleted later",
  },
};
