// @ts-check
/** Every text people read, in English. Texts that count or date are functions. */

/** @import { Refusal } from "../types/protocol.d.ts" */

const locale = "en-GB";
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "long" });
const dayMonth = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" });
const dayMonthYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });

/**
 * A number with its noun: `counted(3, { one: "person", other: "people" })`.
 * @param {number} count
 * @param {{ one: string, other: string }} nouns
 */
function counted(count, nouns) {
  const form = plurals.select(count) === "one" ? nouns.one : nouns.other;
  return `${numbers.format(count)} ${form}`;
}

/** @param {number} at */
const time = (at) => clock.format(at);

/** @param {number} at */
function date(at) {
  const sameYear = new Date(at).getFullYear() === new Date().getFullYear();
  return (sameYear ? dayMonth : dayMonthYear).format(at);
}

/** @param {number} at */
const day = (at) => `${weekday.format(at)}, ${date(at)}`;

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

const characters = { one: "character", other: "characters" };

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
  if (rule === "length" && typeof max === "number") return `${subject} has up to ${counted(max, characters)}. Shorten it.`;
  return message;
}

/** By code; a code without a text here shows the server's own sentence. @type {Partial<Record<Refusal["code"], (refusal: Refusal) => string>>} */
const refusals = {
  invalid,
  not_found: () => "It is not there any more, or not yours to see.",
  name_taken: ({ params }) => (typeof params.name === "string" ? `The name ${params.name} is taken. Choose another one.` : "That name is taken. Choose another one."),
  unauthenticated: () => "You are signed out. Sign in again; what you wrote is kept.",
  bad_credentials: () => "The name or the password is wrong.",
  link_spent: () => "This link was used up or has expired.",
  too_large: ({ params }) => (typeof params.rooms === "number" ? `${params.name} is in ${numbers.format(params.rooms)} rooms, and nobody fits into more. Leaving one makes place.` : "It is too large to send. Shorten it."),
  rate_limited: ({ retry_after_ms }) => (retry_after_ms ? `Too many in a short time. Try again in ${wait(retry_after_ms)}.` : "Too many in a short time. Wait a little."),
  slow_down: () => "The room is very busy. Try again in a moment.",
  overloaded: ({ params }) => (params.reason === "disk_full" ? "The server's disk is full. Nothing can be sent until there is space." : "The server is very busy. Try again in a moment."),
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
  title: (unread, room, house) => `${unread ? `(${unread > 99 ? "99+" : unread}) ` : ""}${room ? `${cut(room)}, ` : ""}${house}`,
  /** @param {Refusal} refusal */
  refusal: (refusal) => refusals[refusal?.code]?.(refusal) ?? refusal?.message ?? "Something went wrong that has no name.",

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

  composer: {
    /** @param {string} room */
    label: (room) => `Write to ${room}`,
    first: "Write the first message",
    send: "Send",
    sends: "sends",
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
    text: (room) => `This is the beginning of ${room}. Whatever is said here stays here, in order, and anyone who joins later can read it from the first line.`,
    invite: "Bring people in",
    inviteText: "Add members by name",
    link: "Send an invite link",
    linkText: "Whoever opens it makes an account and lands here",
    write: "Write the first message",
    writeText: "It can be edited and deleted later",
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

  link: {
    title: "Invite link",
    /** @param {string | null} room */
    text: (room) => (room ? `Whoever opens it makes an account and lands in ${room}.` : "Whoever opens it makes an account here."),
    field: "Link",
    /** @param {number} uses @param {number} at */
    facts: (uses, at) => `Works ${counted(uses, { one: "time", other: "times" })}, until ${day(at)}. It is shown this once.`,
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

  done: {
    copied: "Copied",
    discarded: "Message deleted",
    /** @param {string} room */
    left: (room) => `You left ${room}`,
    /** @param {string} name */
    removed: (name) => `${name} was removed`,
  },

  entry: {
    title: "Come in.",
    ways: "How to come in",
    asGuest: "Guest",
    comeAsGuest: "Come in as a guest",
    signIn: "Sign in",
    setUp: "Set up",
    signInTitle: "Good to see you.",
    name: "Name",
    yourName: "Your name",
    callYou: "What should people call you?",
    guestHint: "A guest talks in open rooms, for as long as this browser keeps the key.",
    join: "Join",
    password: "Password",
    show: "Show",
    hide: "Hide",
    /** @param {number} least */
    passwordHint: (least) => `At least ${counted(least, characters)}. A sentence of a few words is best.`,
    noAccount: "No account? Ask a member for an invite link.",
    onlyGuests: "Have an invite link? Open it to make an account.",
    /** @param {string | null} room */
    askedIn: (room) => (room ? ` asked you in to ${room}` : " asked you in"),
    /** @param {string} house @param {number} at */
    linkUntil: (house, at) => `${house}, link works until ${day(at)}`,
    signUpTitle: "Come in.",
    signUp: "Make the account",
    /** @param {string} room */
    signUpTo: (room) => `Join ${room}`,
    haveAccount: "Been here before?",
    spentTitle: "This link does not open the door.",
    spentText: "It was used up, has expired, or was taken back. Ask whoever sent it for a new one, or sign in.",
    looking: "Looking at the link",
    /** @param {string} name */
    signedInAs: (name) => `You are signed in as ${name}.`,
    signedInText: "An invite link makes a new account. To use it, sign out first.",
    joinText: "This link leads to a room. Join it with this account, or sign out to make a new one.",
    goIn: "Go to the rooms",
    setUpTitle: "A new house.",
    setUpText: "It runs on your machine and answers to you. Two fields, and you can write the first message.",
    keyGood: "Setup key taken from the link",
    setUpKey: "Setup key",
    setUpKeyHint: "The server printed it when it started.",
    setUpSpentTitle: "This house has its owner.",
    setUpSpentText: "Setting up is done once. Sign in to go on.",
    setUpStale: "This setup link was used or has expired. Restart the server: it prints a new one.",
    submitSetUp: "Open the house",
    stepsName: "Steps",
    steps: [
      ["The owner", "That is you"],
      ["An invite link", "For the first people"],
      ["The lobby", "Where the first message goes"],
    ],
    waitingTitle: "This house is not set up yet.",
    waitingText: "The server printed a link when it started. Whoever has it becomes the owner.",
    nameMissing: "Write a name first.",
    passwordMissing: "Write the password first.",
  },
};
