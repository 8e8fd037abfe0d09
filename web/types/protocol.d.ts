/**
 * What may be said on the wire: the shapes of crates/protocol, for type checks.
 *
 * Nothing here runs. Where this file and crates/protocol differ, crates/protocol is right.
 */

export type UserId = string;
export type RoomId = string;
export type SessionId = string;
export type InviteId = string;
/** The author's name for a message or a creation; the same on every retry. */
export type Nonce = string;

export type Role = "guest" | "member" | "moderator" | "admin" | "owner";
/** What one may do in a room. */
export type RoomRight =
  | "post"
  | "react"
  | "invite"
  | "remove"
  | "pin"
  | "mention_all"
  | "delete_any"
  | "edit_room"
  | "time_out"
  | "ban"
  | "call";
/** What one may do on the server: open a room of either kind, make a link that leads to no room, look people up. */
export type ServerRight = "open_room" | "open_closed" | "invite" | "find_people";
/** What one may do to a member. */
export type MemberRight = "remove";

export type RoomKind = "open" | "closed" | "direct";

export interface User {
  id: UserId;
  name: string;
  guest?: boolean;
}

/** How far a member has read. Only grows; unread = the room's `n` − this `n`. */
export interface ReadMark {
  seq: number;
  n: number;
}

export interface Room {
  id: RoomId;
  name: string;
  kind: RoomKind;
  /** The latest `seq`; 0 when nothing has happened yet. */
  head: number;
  /** How many messages were ever posted. */
  n: number;
  read: ReadMark;
  /** My role in this room, to be shown; what follows from it is in `may`. */
  role: Role;
  may: RoomRight[];
}

export interface OpenRoom {
  id: RoomId;
  name: string;
  members: number;
  joined: boolean;
}

export interface Member extends User {
  role: Role;
  here: boolean;
  may?: MemberRight[];
}

export interface Message {
  seq: number;
  /** Its ordinal among the room's messages: 1, 2, 3 … */
  n: number;
  /** Milliseconds since 1970 UTC. For people to read; never orders anything. */
  at: number;
  by: User;
  /** Empty once deleted. */
  text: string;
  /** The `seq` of the last event that touched it: of two versions the higher one is right. */
  rev: number;
  nonce: Nonce;
  edited_at?: number;
  deleted?: boolean;
  /** In order of first use. */
  reactions?: Reaction[];
}

/** An emoji that somebody reacted with. */
export interface Reaction {
  emoji: string;
  /** How many people reacted with it. */
  count: number;
  mine: boolean;
  /** Up to three of them. */
  users: User[];
}

export interface Invite {
  id: InviteId;
  room?: RoomId;
  by: User;
  at: number;
  expires_at: number;
  uses: number;
  used: number;
}

/** Numbers a client would otherwise have to guess. */
export interface Limits {
  text_chars: number;
  name_chars: number;
  frame_bytes: number;
  page: number;
  unanswered: number;
  mark_read_ms: number;
  password_chars: number;
}

export type ErrorCode =
  | "bad_request"
  | "unknown_command"
  | "invalid"
  | "not_found"
  | "forbidden"
  | "conflict"
  | "name_taken"
  | "unauthenticated"
  | "bad_credentials"
  | "link_spent"
  | "too_large"
  | "rate_limited"
  | "slow_down"
  | "overloaded"
  | "unknown"
  | "internal";

/**
 * A refusal. `offline` never comes from the server: the client could not ask at all, so nothing was done.
 * `unknown` is also said by the client, when the connection was lost before the answer.
 */
export interface Refusal {
  code: ErrorCode | "offline";
  params: Record<string, unknown>;
  /** One English sentence; shown only for a code that has no text of its own. */
  message: string;
  retry_after_ms?: number;
  /** HTTP only: names the request in the server's log. */
  request_id?: string;
}

/** What every durable event has. */
export interface EventHead {
  room: RoomId;
  seq: number;
  at: number;
  by: User;
}

export interface MessagePosted extends EventHead {
  type: "message_posted";
  n: number;
  text: string;
  nonce: Nonce;
  rev: number;
  edited_at?: number;
  deleted?: boolean;
}
export interface MessageEdited extends EventHead {
  type: "message_edited";
  target: number;
  text: string;
  rev: number;
  edited_at: number;
  deleted?: boolean;
}
export interface MessageDeleted extends EventHead {
  type: "message_deleted";
  target: number;
  rev: number;
}
export interface MessageReacted extends EventHead {
  type: "message_reacted";
  target: number;
  emoji: string;
  on: boolean;
  /** How many people reacted with it, after this. */
  count: number;
}
export interface MemberJoined extends EventHead {
  type: "member_joined";
  user: User;
  role: Role;
}
export interface MemberLeft extends EventHead {
  type: "member_left";
  user: User;
}
/** A durable event of a type this client does not know: its `seq` counts all the same. */
export interface UnknownEvent {
  type: "unknown";
  room: RoomId;
  seq: number;
}
export type Event =
  | MessagePosted
  | MessageEdited
  | MessageDeleted
  | MessageReacted
  | MemberJoined
  | MemberLeft
  | UnknownEvent;

export interface Hello {
  type: "hello";
  version: string;
  build: string;
  features: string[];
  epoch: string;
  user: User;
  role: Role;
  limits: Limits;
  heartbeat_ms: number;
  rooms: Room[];
  may: ServerRight[];
}
export interface Reply {
  type: "reply";
  id: number | null;
  ok?: any;
  error?: Refusal;
}
export interface Beat {
  type: "beat";
  heads: Record<RoomId, number>;
}
export interface Presence {
  type: "presence";
  room: RoomId;
  count: number;
  /** The first 100, in order of arrival. */
  here: User[];
}
export interface Reset {
  type: "reset";
  room: RoomId;
  as_of: number;
  messages: Message[];
  more: boolean;
}
export interface Lagged {
  type: "lagged";
  room: RoomId;
}
export interface RoomJoined {
  type: "room_joined";
  room: Room;
}
export interface RoomLeft {
  type: "room_left";
  room: RoomId;
  seq: number;
  by?: User;
}
export interface ReadMarked extends ReadMark {
  type: "read_marked";
  room: RoomId;
}
export interface SessionEnded {
  type: "session_ended";
}
/** A frame of a type this client does not know, and without a place. */
export interface UnknownFrame {
  type: "unknown";
  room?: undefined;
  seq?: undefined;
}
export type ServerFrame =
  | Hello
  | Reply
  | Beat
  | Presence
  | Reset
  | Lagged
  | RoomJoined
  | RoomLeft
  | ReadMarked
  | SessionEnded
  | UnknownFrame
  | Event;

export type Command =
  | { type: "post_message"; room: RoomId; text: string; nonce: Nonce }
  | { type: "edit_message"; room: RoomId; seq: number; text: string }
  | { type: "delete_message"; room: RoomId; seq: number }
  | { type: "react"; room: RoomId; seq: number; emoji: string; on: boolean }
  | { type: "mark_read"; room: RoomId; seq: number }
  | { type: "open_room"; name: string; kind: RoomKind; nonce: Nonce }
  | { type: "join_room"; room: RoomId }
  | { type: "leave_room"; room: RoomId }
  | { type: "invite_member"; room: RoomId; user: UserId }
  | { type: "remove_member"; room: RoomId; user: UserId }
  | { type: "resume"; room: RoomId; after: number }
  | { type: "list_rooms"; cursor?: string }
  | { type: "list_messages"; room: RoomId; before?: number; after?: number; around?: number; limit?: number }
  | { type: "list_members"; room: RoomId; cursor?: string }
  | { type: "list_users"; name: string; cursor?: string }
  | { type: "create_invite"; room?: RoomId; uses?: number; hours?: number; nonce: Nonce }
  | { type: "list_invites" }
  | { type: "revoke_invite"; invite: InviteId };

/** What each command is answered with. */
export interface Replies {
  post_message: Posted;
  edit_message: Revised;
  delete_message: Revised;
  react: Reaction;
  mark_read: ReadMark;
  open_room: Room;
  join_room: Room;
  leave_room: Done;
  invite_member: Done;
  remove_member: Done;
  resume: Resumed;
  list_rooms: RoomPage;
  list_messages: MessagePage;
  list_members: MemberPage;
  list_users: UserPage;
  create_invite: NewInvite;
  list_invites: InvitePage;
  revoke_invite: Done;
}

/** It was done, and there is nothing to say about it. */
export type Done = Record<string, never>;
export interface Posted {
  seq: number;
  n: number;
  at: number;
  nonce: Nonce;
}
export interface Revised {
  rev: number;
}
export interface Resumed {
  head: number;
}
export interface MessagePage {
  as_of: number;
  messages: Message[];
  more_before: boolean;
  more_after: boolean;
}
export interface RoomPage {
  /** On the first page only. */
  mine: Room[];
  open: OpenRoom[];
  next?: string;
}
export interface MemberPage {
  members: Member[];
  count: number;
  here: number;
  next?: string;
}
export interface UserPage {
  users: User[];
  next?: string;
}
export interface NewInvite {
  id: InviteId;
  /** Told this once. */
  token: string;
  /** `/invite#token=…`, to be put behind the server's address. */
  link: string;
  expires_at: number;
  uses: number;
}
export interface InvitePage {
  invites: Invite[];
}

/** `GET /api/v1/session`, and the JSON in the page. */
export interface Session {
  user: User | null;
  role?: Role;
  session: SessionId | null;
  /** Whether one may come in as a guest. */
  guests: boolean;
  /** Whether the server still waits for its owner. */
  setup: boolean;
  /** The community's name. */
  name: string;
  build: string;
  limits: Limits;
}
export interface SignedIn {
  user: User;
  role: Role;
  /** For programs that asked for one. */
  token?: string;
}
export interface InviteView {
  by: User;
  room?: string;
  expires_at: number;
}
