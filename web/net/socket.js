// @ts-check
/**
 * The connection to the server: opens it, keeps it, says when it is lost, and comes back. Carries commands and their
 * replies; every other frame is handed on. Must not know what a message or a room is, beyond asking to `resume` one.
 *
 * @import { Command, Refusal, RoomId, ServerFrame } from "../types/protocol.d.ts"
 * @import { Connection } from "../types/state.d.ts"
 *
 * @typedef {{
 *   now(): number,
 *   random(): number,
 *   after(ms: number, then: () => void): () => void,
 * }} Clock `random` is in [0, 1); `after` gives what cancels it.
 *
 * @typedef {{
 *   url: string,
 *   WebSocket: new (url: string, protocol: string) => WebSocket,
 *   clock: Clock,
 *   onFrame(frame: ServerFrame): void,
 *   onChange(connection: Partial<Connection>): void,
 *   isSignedIn(): Promise<boolean>,
 *   probe(): Command,
 * }} Wiring `isSignedIn` asks the server why it turned us away, and rejects when it cannot be reached; `probe` is a
 * command that changes nothing, to see whether the server still hears us.
 *
 * @typedef {{
 *   command: Command, resolve(ok: any): void, reject(error: Refusal): void, at: number,
 * }} Asked
 */

import { isKnown } from "../state/store.js";

const SUBPROTOCOL = "roomful.v1";
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** How long connecting may take, hello included. */
const CONNECT_MS = 15_000;
/** After waking up, how long a silent connection has to show that it lives. */
const PROBE_MS = 4_000;
/** Silence that is not worth a probe. */
const FRESH_MS = 5_000;
/** A connection that lasted so long was a good one: the next loss starts with a short wait again. */
const STEADY_MS = 10_000;
const RESTART = 1012;
const SESSION_ENDED = 4401;
const NOT_ALLOWED = 4403;

export class Socket {
  /** @type {Wiring} */
  #wiring;
  /** @type {WebSocket | null} */
  #wire = null;
  /** @type {Connection["status"]} */
  #status = "idle";
  #attempt = 0;
  #openedAt = 0;
  #heardAt = 0;
  #heartbeatMs = 25_000;
  #limits = { unanswered: 1, frame_bytes: 65_536 };
  #lastId = 0;
  /** @type {number | null} */
  #lostAt = null;
  /** @type {Map<number, Asked>} */
  #unanswered = new Map();
  /** @type {Asked[]} */
  #queue = [];
  /** @type {Map<RoomId, { after: number, at: number }>} */
  #resuming = new Map();
  /** Cancels the one timer: of connecting, watching or waiting, whichever it is time for. */
  #cancel = () => {};

  /** @param {Wiring} wiring */
  constructor(wiring) {
    this.#wiring = wiring;
  }

  /** Connects, unless it is connecting or connected. */
  start() {
    if (this.#wire !== null) return;
    this.#cancel();
    this.#change("connecting", { retryAt: null, ended: null });
    const { WebSocket, url, clock } = this.#wiring;
    const wire = new WebSocket(url, SUBPROTOCOL);
    this.#wire = wire;
    this.#heardAt = clock.now();
    wire.onmessage = ({ data }) => this.#hear(data);
    wire.onclose = ({ code, reason }) => void this.#lose(code, reason);
    this.#cancel = clock.after(CONNECT_MS, () => void this.#lose(0, ""));
  }

  /** Leaves, and stays away until `start`. */
  stop() {
    this.#drop();
    this.#lostAt = null;
    this.#attempt = 0;
    this.#change("idle", { retryAt: null, lostAt: null, ended: null });
  }

  /**
   * Asks something. While connecting it waits its turn; not connected, it is refused as `offline`; without an answer
   * until the connection is lost, as `unknown`.
   * @param {Command} command
   * @returns {Promise<any>}
   */
  send(command) {
    return new Promise((resolve, reject) => {
      const asked = { command, resolve, reject, at: this.#wiring.clock.now() };
      if (this.#status !== "open" && this.#status !== "connecting") {
        reject(refused("offline", "There is no connection to the server."));
        return;
      }
      this.#queue.push(asked);
      this.#flush();
    });
  }

  /**
   * Asks for everything of a room after `after`. Asking again before the answer could have come does nothing, except
   * with `lagged`, after which the server waits for exactly this.
   * @param {RoomId} room
   * @param {number} after
   * @param {boolean} [lagged]
   */
  resume(room, after, lagged = false) {
    const now = this.#wiring.clock.now();
    const known = this.#resuming.get(room);
    if (this.#status !== "open") return;
    if (!lagged && known !== undefined && known.after === after && now - known.at < this.#heartbeatMs) return;
    this.#resuming.set(room, { after, at: now });
    this.send({ type: "resume", room, after }).catch((/** @type {Refusal} */ error) => {
      if (error.retry_after_ms === undefined) return;
      this.#wiring.clock.after(error.retry_after_ms, () => {
        if (this.#resuming.get(room)?.at === now) this.resume(room, after, true);
      });
    });
  }

  /** The connection may have died unnoticed: the computer slept, the network changed, the page was hidden. */
  check() {
    if (this.#status === "waiting") return this.start();
    if (this.#status !== "open") return;
    const silence = this.#wiring.clock.now() - this.#heardAt;
    if (silence > this.#heartbeatMs * 1.25) {
      void this.#lose(0, "");
    } else if (silence > FRESH_MS) {
      const wire = this.#wire;
      const cancel = this.#wiring.clock.after(PROBE_MS, () => {
        if (this.#wire === wire) void this.#lose(0, "");
      });
      this.send(this.#wiring.probe()).then(cancel, cancel);
    }
  }

  /**
   * @param {Connection["status"]} status
   * @param {Partial<Connection>} more
   */
  #change(status, more) {
    this.#status = status;
    this.#wiring.onChange({ status, ...more });
  }

  /** @param {unknown} text */
  #hear(text) {
    this.#heardAt = this.#wiring.clock.now();
    const frame = typeof text === "string" ? decode(text) : null;
    if (frame === null) return;
    if (frame.type === "hello") {
      this.#openedAt = this.#heardAt;
      this.#lostAt = null;
      this.#limits = frame.limits;
      this.#heartbeatMs = frame.heartbeat_ms;
      this.#cancel();
      this.#watch();
      this.#change("open", { retryAt: null, lostAt: null, ended: null });
    }
    if (frame.type === "reply") this.#settle(frame.id, frame.ok, frame.error);
    else this.#wiring.onFrame(frame);
    this.#flush();
  }

  /**
   * @param {number | null} id
   * @param {any} ok
   * @param {Refusal} [error]
   */
  #settle(id, ok, error) {
    // Without an id the server could not read the command; replies come in order, so it is the oldest one.
    const known = id ?? this.#unanswered.keys().next().value;
    const asked = known === undefined ? undefined : this.#unanswered.get(known);
    if (known === undefined || asked === undefined) return;
    this.#unanswered.delete(known);
    if (error === undefined) asked.resolve(ok);
    else asked.reject(error);
  }

  #flush() {
    while (this.#status === "open" && this.#queue.length > 0 && this.#unanswered.size < this.#limits.unanswered) {
      const asked = /** @type {Asked} */ (this.#queue.shift());
      this.#lastId += 1;
      const text = JSON.stringify({ id: this.#lastId, ...asked.command });
      if (bytes(text) > this.#limits.frame_bytes) {
        // Sent, it would close the connection, and again after every reconnect.
        asked.reject(refused("too_large", "This is more than the server takes at once."));
        continue;
      }
      asked.at = this.#wiring.clock.now();
      this.#unanswered.set(this.#lastId, asked);
      this.#wire?.send(text);
    }
  }

  /** Loses the connection after two silent heartbeats, or when a command is not answered for as long. */
  #watch() {
    const patience = 2 * this.#heartbeatMs;
    const now = this.#wiring.clock.now();
    const oldest = this.#unanswered.values().next().value?.at ?? now;
    if (now - this.#heardAt >= patience || now - oldest >= patience) {
      void this.#lose(0, "");
    } else {
      const silence = Math.max(now - this.#heardAt, now - oldest);
      this.#cancel = this.#wiring.clock.after(patience - silence, () => this.#watch());
    }
  }

  /** Lets go of the wire, and refuses what waits for an answer. */
  #drop() {
    this.#cancel();
    const wire = this.#wire;
    this.#wire = null;
    if (wire !== null) {
      wire.onmessage = null;
      wire.onclose = null;
      wire.close();
    }
    const unanswered = [...this.#unanswered.values()];
    const queue = this.#queue;
    this.#unanswered.clear();
    this.#queue = [];
    this.#resuming.clear();
    for (const asked of unanswered) asked.reject(refused("unknown", "The connection was lost before the answer."));
    for (const asked of queue) asked.reject(refused("offline", "There is no connection to the server."));
  }

  /**
   * The connection is gone, or was refused.
   * @param {number} code of the close frame; 0 when it is we who give up
   * @param {string} reason
   */
  async #lose(code, reason) {
    const { clock } = this.#wiring;
    const opened = this.#status === "open";
    if (opened && clock.now() - this.#openedAt >= STEADY_MS) this.#attempt = 0;
    this.#lostAt ??= clock.now();
    this.#attempt += 1;
    const wait = delay(this.#attempt, code, reason, clock.random());
    const attempt = this.#attempt;
    if (code === NOT_ALLOWED) return this.#end("not_allowed");
    if (code === SESSION_ENDED) {
      this.#end("session_ended");
      // Another tab may have signed in again meanwhile.
      const back = await this.#wiring.isSignedIn().catch(() => false);
      if (back && this.#status === "ended" && attempt === this.#attempt) this.#wait(wait);
      return;
    }
    this.#wait(wait);
    if (opened) return;
    // Browsers do not tell why a handshake failed.
    const welcome = await this.#wiring.isSignedIn().catch(() => true);
    if (!welcome && this.#status !== "idle" && attempt === this.#attempt) this.#end("session_ended");
  }

  /** @param {number} ms */
  #wait(ms) {
    const { clock } = this.#wiring;
    this.#change("waiting", { lostAt: this.#lostAt, retryAt: clock.now() + ms, ended: null });
    this.#drop();
    this.#cancel = clock.after(ms, () => this.start());
  }

  /** @param {"session_ended" | "not_allowed"} ended */
  #end(ended) {
    this.#change("ended", { ended, lostAt: this.#lostAt, retryAt: null });
    this.#drop();
  }
}

/**
 * How long to wait before an attempt, in milliseconds.
 * @param {number} attempt the first is 1
 * @param {number} code how the connection ended
 * @param {string} reason may hold `{"retry_after_ms":…}`
 * @param {number} random in [0, 1)
 */
export function delay(attempt, code, reason, random) {
  const wait = retryAfter(reason);
  // A server that restarts gives everybody a time of their own.
  if (code === RESTART && wait !== null) return wait;
  return Math.round((wait ?? 0) + random * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** attempt));
}

/**
 * @param {string} reason
 * @returns {number | null}
 */
function retryAfter(reason) {
  try {
    const wait = JSON.parse(reason).retry_after_ms;
    return Number.isFinite(wait) ? Math.max(0, wait) : null;
  } catch {
    return null;
  }
}

/**
 * Reads a frame; null when it is none. A type this client does not know keeps its place, so that its `seq` goes on.
 * @param {string} text
 * @returns {ServerFrame | null}
 */
export function decode(text) {
  /** @type {any} */
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof frame !== "object" || frame === null || typeof frame.type !== "string") return null;
  if (isKnown(frame.type)) return frame;
  return typeof frame.room === "string" && Number.isInteger(frame.seq)
    ? { type: "unknown", room: frame.room, seq: frame.seq }
    : { type: "unknown" };
}

/** @param {string} text */
function bytes(text) {
  return new TextEncoder().encode(text).length;
}

/**
 * @param {Refusal["code"]} code
 * @param {string} message
 * @returns {Refusal}
 */
function refused(code, message) {
  return { code, params: {}, message };
}
