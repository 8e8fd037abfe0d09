// @ts-check
/**
 * Every text people read, in English. Texts that count or date are functions. What the first view does without stands
 * in `en/`, a file for each noun.
 */

/** @import { Refusal } from "../types/protocol.d.ts" */

const locale = "en-GB";
const plurals = new Intl.PluralRules(locale);
export const numbers = new Intl.NumberFormat(locale);
const list = new Intl.ListFormat(locale, { type: "conjunction" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "long" });
const dayMonth = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" });
const dayMonthYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });

/**
 * A number with its noun: `counted(3, { one: "person", other: "people" })`.
 * @param {number} count
 * @param {{ one: string, other: string }} nouns
 */
export function counted(count, nouns) {
  const form = plurals.select(count) === "one" ? nouns.one : nouns.other;
  return `${numbers.format(count)} ${form}`;
}

/** @param {number} at */
export const time = (at) => clock.format(at);

/** @param {number} at */
function date(at) {
  const sameYear = new Date(at).getFullYear() === new Date().getFullYear();
  return (sameYear ? dayMonth : dayMonthYear).format(at);
}

/** @param {number} at */
export const day = (at) => `${weekday.format(at)}, ${date(at)}`;

/**
 * How long to wait, in words.
 * @param {number} ms
 */
function wait(ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 90) return counted(seconds, { one: "second", other: "seconds" });
  return counted(Math.ceil(seconds / 60), { one: "minute", other: "minutes" });
}

/** A name short enough to leave place for what stands beside it. @param {string} name */
function cut(name) {
  const letters = [...name];
  return letters.length > 32 ? `${letters.slice(0, 31).join("").trimEnd()}…` : name;
}

/** On a Mac the command key does what Ctrl does elsewhere. */
const control = globalThis.navigator?.platform?.startsWith("Mac") ? "⌘" : "Ctrl";

export const characters = { one: "character", other: "characters" };

/**
 * What rule a value breaks; the server's own sentence where it has a rule that is not known here.
 * @param {Refusal} refusal
 */
function invalid({ params: { field, rule, max }, message }) {
  const subjects = { name: "A name", password: "A password", text: "A message" };
  const subject = subjects[/** @type {keyof typeof subjects} */ (field)];
  if (!subject) return message;
  if (rule === "empty") return `${subject} cannot be empty.`;
  if (rule === "short" && typeof max === "number") return `${subject} needs at least ${counted(max, characters)}.`;
  const most = typeof max === "number" ? counted(max, characters) : "";
  if (rule === "length" && most) return `${subject} has up to ${most}. Shorten it.`;
  return message;
}

/**
 * By code; a code without a text here shows the server's own sentence.
 * @type {Partial<Record<Refusal["code"], (refusal: Refusal) => string>>}
 */
const refusals = {
  invalid,
  not_found: () => "It is not there any more, or not yours to see.",
  name_taken: ({ params }) =>
    (typeof params.name === "string"
      ? `The name ${params.name} is taken. Choose another one.`
      : "That name is taken. Choose another one."),
  unauthenticated: () => "You are signed out. Sign in again; what you wrote is kept.",
  bad_credentials: () => "The name or the password is wrong.",
  link_spent: () => "This link was used up or has expired.",
  too_large: ({ params }) =>
    (typeof params.rooms === "number"
      ? `${params.name} is in ${numbers.format(params.rooms)} rooms, and nobody fits into more. `
        + "Leaving one makes place."
      : "It is too large to send. Shorten it."),
  rate_limited: ({ retry_after_ms }) =>
    (retry_after_ms
      ? `Too many in a short time. Try again in ${wait(retry_after_ms)}.`
      : "Too many in a short time. Wait a little."),
  slow_down: () => "The room is very busy. Try again in a moment.",
  overloaded: ({ params }) =>
    (params.reason === "disk_full"
      ? "The server's disk is full. Nothing can be sent until there is space."
      : params.reason === "database_away"
        ? "The server cannot reach its database. Try again in a moment."
        : "The server is very busy. Try again in a moment."),
  unknown: () => "No answer came, so it may have been done or not. Look, then try again.",
  internal: () => "The server failed. Its log says why.",
  offline: () => "There is no connection. Nothing was done.",
};

export const strings = {
  time,
  day,
  /** @param {number} at */
  moment: (at) => `${day(at)}, ${time(at)}`,
  /** @param {number} count */
  count: (count) => numbers.format(count),
  /**
   * The title of the browser's tab.
   * @param {number} unread
   * @param {string | null} room
   * @param {string} house
   */
  title: (unread, room, house) =>
    `${unread ? `(${unread > 99 ? "99+" : unread}) ` : ""}${room ? `${cut(room)}, ` : ""}${house}`,
  /** @param {Refusal} refusal */
  refusal: (refusal) =>
    refusals[refusal?.code]?.(refusal) ?? refusal?.message ?? "Something went wrong that has no name.",

  skip: "Skip to the conversation",
  retry: "Retry",
  reload: "Reload",
  cancel: "Cancel",
  save: "Save",
  undo: "Undo",
  rejoin: "Rejoin",
  close: "Close",
  copy: "Copy",
  guest: "guest",
  failedPart: "This part of the page could not be loaded.",
  newBuild: "A newer version is here.",

  keys: {
    switcher: `${control} K`,
    keys: `${control} /`,
    enter: "Enter",
    escape: "Esc",
    title: "Keys",
    groups: [
      {
        name: "Everywhere",
        list: [
          [`${control} K`, "Jump to a room or a person"],
          ["Alt ↑ ↓", "Room above, room below"],
          ["Alt Shift ↑ ↓", "The same, only rooms with something new"],
          ["F6", "Next part of the window"],
          [`${control} .`, "Show or hide the room's details"],
          ["Esc", "Close what is open, then go to the newest message"],
          [`${control} /`, "This list"],
        ],
      },
      {
        name: "Where you write",
        list: [
          ["Enter", "Send"],
          ["Shift Enter", "New line"],
          [`${control} Enter`, "Send, always"],
          ["↑", "Edit your last message, when nothing is written"],
        ],
      },
      {
        name: "On a message",
        list: [
          ["↑ ↓", "To the message before, to the one after"],
          ["+", "Add a reaction"],
          ["E", "Edit it"],
          ["Delete", "Delete it"],
          ["Enter", "What else can be done with it"],
        ],
      },
    ],
  },

  me: {
    here: "Online",
    guest: "Online, as a guest",
    away: "Offline",
    connecting: "Connecting",
    settings: "Settings",
    theme: "Colours",
    light: "Light",
    dark: "Dark",
    system: "System",
    invite: "Invite people",
    keys: "Keys",
    signOut: "Sign out",
    signOutTitle: "Sign out?",
    signOutText: "Drafts and unsent messages on this device are forgotten.",
    signOutGuest: "A guest's name is given up with it. Drafts and unsent messages on this device are forgotten.",
    stay: "Stay",
  },

  rooms: {
    title: "Rooms",
    jump: "Jump to",
    add: "Open or find a room",
    open: "Open a room",
    find: "Find rooms",
    none: "You are in no room.",
    closed: "closed",
    draft: "draft",
    /** @param {number} count */
    unread: (count) => `${numbers.format(count)} unread`,
  },

  room: {
    back: "Back to rooms",
    menu: "More about this room",
    details: "Room details",
    invite: "Invite a member",
    inviteLink: "Make an invite link",
    copyLink: "Copy link to the room",
    leave: "Leave the room",
    kind: { open: "Open room", closed: "Closed room", direct: "Direct messages" },
    /** @param {number} count */
    here: (count) => `${counted(count, { one: "person", other: "people" })} here`,
  },

  timeline: {
    /** @param {string} room */
    title: (room) => `Messages in ${room}`,
    /** @param {number} count @param {number} at */
    divider: (count, at) => `${numbers.format(count)} new since ${time(at)}`,
    /** @param {string} room */
    beginning: (room) => `This is the beginning of ${room}.`,
    loading: "Loading messages",
    failed: "These messages could not be loaded.",
    /** @param {number} count */
    newBelow: (count) => counted(count, { one: "new message", other: "new messages" }),
    toNewest: "To the newest",
    /** @param {string} name @param {string} text */
    said: (name, text) => `${name}: ${text.length > 240 ? `${text.slice(0, 240)} …` : text}`,
    /** @param {number} count */
    saidMany: (count) => counted(count, { one: "new message", other: "new messages" }),
  },

  message: {
    sending: "Sending",
    waiting: "Waiting",
    unsure: "No answer yet, trying again",
    /** @param {string} why */
    failed: (why) => (why ? `Not sent. ${why}` : "Not sent."),
    failedGroup: "Not sent",
    edited: "edited",
    /** @param {number} at */
    editedAt: (at) => `Edited ${day(at)}, ${time(at)}`,
    gone: "This message was deleted.",
    actions: "Message actions",
    copyText: "Copy text",
    copyLink: "Copy link",
    edit: "Edit message",
    editShort: "Edit",
    editLabel: "Edit your message",
    editKeys: "Enter saves, Esc cancels",
    remove: "Delete message",
    discard: "Delete",
  },

  reactions: {
    title: "Reactions",
    add: "Add a reaction",
    /** The emoji offered first, with their names. */
    names: {
      "👍": "Thumbs up", "❤️": "Heart", "😄": "Laughing", "🎉": "Celebration", "👀": "Eyes", "🙏": "Thanks",
    },
    /** @param {string} name @param {number} count @param {boolean} mine */
    label: (name, count, mine) =>
      `${name}, ${counted(count, { one: "person", other: "people" })}${mine ? ", you too" : ""}`,
    you: "You",
    /** @param {string[]} names @param {number} more */
    who: (names, more) => list.format(more ? [...names, `${numbers.format(more)} more`] : names),
  },

  composer: {
    /** @param {string} room */
    label: (room) => `Write to ${room}`,
    first: "Write the first message",
    send: "Send",
    sends: "sends",
    shut: "You can read here, and not write.",
    /** @param {number} left */
    left: (left) => (left < 0 ? `${counted(-left, characters)} too many` : `${counted(left, characters)} left`),
  },

  outbox: {
    /** @param {number} count */
    waiting: (count) => `${counted(count, { one: "message", other: "messages" })} waiting`,
    kept: "Kept on this device, sent in this order",
  },

  banner: {
    /** @param {number} at */
    lost: (at) => `No connection since ${time(at)}.`,
    keepWriting: "Keep writing; it goes out when the line is back.",
    /** @param {number} seconds */
    tryingIn: (seconds) => `Trying again in ${numbers.format(seconds)} s`,
    trying: "Trying again",
    tryNow: "Try now",
    ended: "You are signed out.",
    endedHow: "What you wrote is kept on this device.",
  },

  details: {
    title: "Details",
    close: "Close details",
    here: "Here now",
    away: "Away",
    /** @param {number} count @param {boolean} more whether others are listed before them */
    visitors: (count, more) => `${more ? "and " : ""}${counted(count, { one: "visitor", other: "visitors" })}`,
    you: "You",
    more: "Show more",
    invite: "Invite a member",
    kind: {
      open: "Everybody on this server finds this room and may join.",
      closed: "Members alone know this room. One enters by being invited.",
      direct: "Between the two of you.",
    },
    roles: { owner: "Owner", admin: "Admin", moderator: "Moderator", member: "Member", guest: "Guest" },
    /** @param {string} name */
    remove: (name) => `Remove ${name}`,
    failed: "The list could not be loaded.",
  },

  confirm: {
    keepIt: "Keep it",
    stay: "Stay",
    removeMessage: "Delete this message?",
    removeMine: "Its text goes for everyone. A line stays to say that it was deleted.",
    /** @param {string} name */
    removeTheirs: (name) => `${name} wrote it. Its text goes for everyone. A line stays to say that it was deleted.`,
    /** @param {string} room */
    leave: (room) => `Leave ${room}?`,
    leaveText: "It is a closed room: you come back only when somebody in it invites you.",
    /** @param {string} name @param {string} room */
    removeMember: (name, room) => `Remove ${name} from ${room}?`,
    removeMemberOpen: "The room is open: they can join it again.",
    removeMemberClosed: "They hear nothing more of it from this moment. What they wrote stays.",
    keepMember: "Keep them",
  },

  done: {
    copied: "Copied",
    discarded: "Message deleted",
    /** @param {string} room */
    left: (room) => `You left ${room}`,
    /** @param {string} name */
    removed: (name) => `${name} was removed`,
  },
};

/** Texts that are fetched with the view that shows them. */
export const more = {
  dialogs: () => import("./en/dialogs.js").then((all) => all.dialogs),
  empty: () => import("./en/empty.js").then((all) => all.empty),
  entry: () => import("./en/entry.js").then((all) => all.entry),
  people: () => import("./en/people.js").then((all) => all.people),
  switcher: () => import("./en/switcher.js").then((all) => all.switcher),
};
