/**
 * What the client remembers and what views may ask for. Nothing here runs.
 *
 * State is plain and never changed in place: a part that is the same object as before has not changed.
 */

import type { ReadonlySignal } from "../vendor/all.js";
import type {
  Command, Event, InviteView, Limits, Message, NewInvite, Nonce, Refusal, Replies, Room, RoomId, RoomKind,
  ServerRight, Session, User,
} from "./protocol.d.ts";

export interface Connection {
  /** `waiting`: lost, tries again at `retryAt`. `ended`: stays away, see `ended`. `idle`: nobody is signed in. */
  status: "idle" | "connecting" | "open" | "waiting" | "ended";
  /** When the next attempt starts, in milliseconds since 1970; null unless `waiting`. */
  retryAt: number | null;
  /** Since when there has been no connection; null while open, and before the first one of a page. */
  lostAt: number | null;
  ended: null | "session_ended" | "not_allowed";
}

export interface RoomEntry {
  /** `head`, `n` and `read` follow the events. */
  room: Room;
  /** null until told. */
  presence: { count: number; here: User[] } | null;
  /** Somebody else ended my membership: the room is shown with a notice until `leaveRoom` or the next hello. */
  leftBy?: User | null;
  /** Something after this `seq` was missed and is being fetched. Used for rooms without a timeline. */
  gap: { after: number } | null;
}

/** A message, with what this client knows of it. */
export interface Known extends Message {
  /** The `seq` up to which all but its text is known; its own `seq` when absent. Its text goes by `rev`. */
  known?: number;
}

/** An event that changed a message, and whether I caused it. */
export interface Touch {
  event: TouchingEvent;
  mine: boolean;
}
export type TouchingEvent = Extract<Event, { target: number }>;

/** One window into a room's messages. */
export interface Timeline {
  room: RoomId;
  /** The latest `seq` applied: all events up to it are in here. */
  last: number;
  /** By ascending `seq`, without holes. */
  messages: Known[];
  /** Whether there are older messages than the first. True until a page says otherwise. */
  moreBefore: boolean;
  /** Whether there are newer messages than the last: then new ones do not show until `loadNewer` or `loadNewest`. */
  moreAfter: boolean;
  /** What is being fetched. */
  loading: Loading | null;
  /** Something after this `seq` was missed and is being fetched. */
  gap: { after: number } | null;
  /** What touched each message, by its `seq` and in order: it corrects pages that were read before that. */
  touches: Map<number, Touch[]>;
  /** All events after this `seq` were seen one by one, so `touches` corrects any page that was read since. */
  heard: number;
  /** The window holds every message after this `seq`, up to its last one. */
  since: number;
  /** The highest `seq` of a message known to exist. */
  newest: number;
}

export type Loading = "newest" | "older" | "newer" | "around";

/** A message of mine that has no place yet. */
export interface Pending {
  nonce: Nonce;
  room: RoomId;
  text: string;
  /** When it was written, in milliseconds since 1970. */
  at: number;
  /**
   * `waiting`: not on the wire yet; goes out by itself. `sending`: on the wire. `unsure`: was on the wire, no answer;
   * goes out again by itself with the same nonce. `failed`: refused, see `error`; for the author to decide.
   */
  state: "waiting" | "sending" | "unsure" | "failed";
  error: Refusal | null;
}

export interface State {
  session: Session;
  /** null when nobody is signed in. */
  me: User | null;
  /** What I may do on the server; nothing before the first hello. */
  may: ServerRight[];
  limits: Limits;
  /** Which life of the database this is; null before the first hello. */
  epoch: string | null;
  /** The build of this page. */
  build: string;
  /** The server runs a newer client than this page: a reload gets it. */
  newBuild: boolean;
  heartbeatMs: number;
  connection: Connection;
  /** By name (the order of iteration); empty until the first hello. */
  rooms: Map<RoomId, RoomEntry>;
  /** Rooms that were opened in this page. */
  timelines: Map<RoomId, Timeline>;
  /** My messages without a place, oldest first, of all rooms. */
  outbox: Pending[];
  /** What is written and not sent, by room. No entry: nothing. */
  drafts: Map<RoomId, string>;
  /** `location.pathname` as of the last `navigate`, Back or Forward. */
  path: string;
}

/**
 * Everything views may ask for. What returns a promise rejects with a `Refusal`; its code is `offline` when nothing was
 * asked for want of a connection, `unknown` when nobody knows whether it was done.
 */
export interface Actions extends MessageActions, RoomActions, Omit<AccountActions, "isSignedIn"> {
  /** Asks the server something that changes nothing here but by the events that follow; or only reads. */
  ask<C extends Command>(command: C): Promise<Replies[C["type"]]>;
  /** Does not wait for `retryAt`. */
  reconnectNow(): void;
  /** Shows and keeps a theme; "" follows the system. */
  setTheme(theme: "light" | "dark" | ""): void;
  /** Changes the address and `state.path`; `replace` leaves no entry for Back. Takes a fragment along. */
  navigate(path: string, how?: { replace?: boolean }): void;
}

/** Writing and reading; see net/outbox.js and net/pages.js. */
export interface MessageActions {
  /** Shows the message as pending, keeps it over a reload, sends it when there is a connection; empties the draft. */
  post(room: RoomId, text: string): Nonce;
  /** Sends a failed message once more, under the same nonce. */
  retry(nonce: Nonce): void;
  /** Gives up a pending message; its text, to be edited. Empty when it is not there any more. */
  discard(nonce: Nonce): string;
  /** Keeps what is written, over reloads. */
  setDraft(room: RoomId, text: string): void;
  /** Notes that all up to `seq` was seen. Cheap: call it as often as the reader scrolls. */
  markRead(room: RoomId, seq: number, now?: boolean): void;
  /** Loads wait for a connection and survive its loss; a second call while one is under way is the same call. */
  loadNewest(room: RoomId): Promise<void>;
  loadOlder(room: RoomId): Promise<void>;
  loadNewer(room: RoomId): Promise<void>;
  /** Replaces the window by one around `seq`. Rejects with `not_found` when I may not see the room. */
  loadAround(room: RoomId, seq: number): Promise<void>;
}

/** See actions/rooms.js. */
export interface RoomActions {
  openRoom(draft: { name: string; kind: RoomKind }): Promise<Room>;
  joinRoom(room: RoomId): Promise<Room>;
  leaveRoom(room: RoomId): Promise<void>;
  createInvite(draft: { room?: RoomId; uses?: number; hours?: number }): Promise<NewInvite>;
}

/** See actions/account.js. */
export interface AccountActions {
  /** Asks the server whether I am still signed in. */
  isSignedIn(): Promise<boolean>;
  signIn(draft: { name: string; password: string }): Promise<void>;
  /** Forgets drafts and unsent messages of this browser, too. */
  signOut(): Promise<void>;
  comeIn(draft: { name: string }): Promise<void>;
  setUp(draft: { token: string; name: string; password: string }): Promise<void>;
  signUp(draft: { invite: string; name: string; password: string }): Promise<void>;
  viewInvite(token: string): Promise<InviteView>;
  /** Joins the room of an invite; null when it leads to the server alone. */
  acceptInvite(token: string): Promise<Room | null>;
}

/** What views get. */
export interface App {
  state: ReadonlySignal<State>;
  actions: Actions;
  /** Every text, by key. What `more` of web/strings/en.js holds is there once `learn` has fetched it. */
  strings: Texts["strings"] & All<Learnt[Noun]>;
  /** Fetches the texts of a view that the first one does without. */
  learn(noun: Noun): Promise<void>;
}

type Texts = typeof import("../strings/en.js");
/** A file of web/strings/en. */
export type Noun = keyof Texts["more"];
type Learnt = { [N in Noun]: Awaited<ReturnType<Texts["more"][N]>> };
/** Of several kinds of objects one that is all of them. */
type All<T> = (T extends unknown ? (one: T) => void : never) extends (all: infer Both) => void ? Both : never;
