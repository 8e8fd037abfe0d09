/**
 * What a browser gives, for tests: a clock that stands still until told, sockets whose server is the test, storage and
 * locks that several clients share. And the cast.
 */

// A test counts on what is fetched when first needed to be there at once.
import "../actions/account.js";
import "../actions/rooms.js";
import { Client } from "../app.js";

export const ana = { id: "0192f0c1-0000-7000-8000-00000000000a", name: "Ana" };
export const ben = { id: "0192f0c1-0000-7000-8000-00000000000b", name: "Ben" };
export const lobby = "0192f0c1-0001-7000-8000-000000000001";
export const garden = "0192f0c1-0001-7000-8000-000000000002";

export const limits = {
  text_chars: 4000, name_chars: 64, frame_bytes: 65536, page: 100, unanswered: 4, mark_read_ms: 2000,
  password_chars: 10,
};

export const session = {
  user: ana, role: "owner", session: "0192f0c1-0003-7000-8000-000000000001", guests: false, setup: false,
  name: "Roomful", build: "b1", limits,
};

/** A room as hello tells it. */
export function room(id = lobby, more = {}) {
  return {
    id, name: id === lobby ? "lobby" : "garden", kind: id === lobby ? "open" : "closed",
    head: 0, n: 0, read: { seq: 0, n: 0 }, role: "owner",
    may: ["post", "react", "invite", "remove", "delete_any"], ...more,
  };
}

export function hello(rooms, more = {}) {
  return {
    type: "hello", version: "0.1.0", build: "b1", features: [], epoch: "e1", user: ana, role: "owner", limits,
    heartbeat_ms: 25000, rooms, may: ["open_room", "open_closed", "invite", "find_people"], ...more,
  };
}

/** The event of a post. Its ordinal equals its seq unless told. */
export function posted(seq, text, more = {}) {
  return {
    type: "message_posted", room: lobby, seq, at: 1767225600000 + seq, by: ben, n: seq, text,
    nonce: `nonce-${seq}`, rev: seq, ...more,
  };
}

export function message(seq, text, more = {}) {
  const { type: _, room: __, ...fields } = posted(seq, text, more);
  return fields;
}

export function page(as_of, messages, more = {}) {
  return { as_of, messages, more_before: false, more_after: false, ...more };
}

/** Time that passes when told, and chance that is always the same. */
export class StillClock {
  #now = 1_000_000;
  #timers = [];
  chance = 0.5;

  now = () => this.#now;
  random = () => this.chance;
  after = (ms, then) => {
    const timer = { at: this.#now + ms, then };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((one) => one !== timer));
  };

  /** Lets time pass, and everything due in it happen. */
  async pass(ms) {
    await settled();
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.then();
      await settled();
    }
    this.#now = end;
    await settled();
  }

  /** The computer slept: time has passed, but nothing has happened. */
  sleepThrough(ms) {
    this.#now += ms;
  }
}

/** Everything that follows without time passing has happened. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The sockets that were opened; the test plays the server on each. */
export class Wires {
  all = [];

  constructor() {
    const { all } = this;
    this.WebSocket = class {
      sent = [];
      closed = false;

      constructor(url, protocol) {
        Object.assign(this, { url, protocol });
        all.push(this);
      }

      send(text) {
        this.sent.push(JSON.parse(text));
      }

      close() {
        this.closed = true;
      }

      /** The server says something. */
      says(...frames) {
        for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
      }

      /** The server ends the connection. */
      ends(code = 1006, reason = "") {
        this.onclose?.({ code, reason });
      }

      /** The commands of a type that were sent. */
      asked(type) {
        return this.sent.filter((command) => command.type === type);
      }

      /** Answers the last command of a type. */
      answers(type, ok, at = -1) {
        this.says({ type: "reply", id: this.asked(type).at(at).id, ok });
      }

      /** Refuses the last command of a type. */
      refuses(type, code, more = {}) {
        const { id } = this.asked(type).at(-1);
        this.says({ type: "reply", id, error: { code, params: {}, message: code, ...more } });
      }
    };
  }

  get last() {
    return this.all.at(-1);
  }
}

/** localStorage, with the events that other tabs hear. */
export class SharedStorage {
  #items = new Map();
  #tabs = new Set();

  get length() {
    return this.#items.size;
  }

  key = (index) => [...this.#items.keys()][index] ?? null;
  getItem = (key) => this.#items.get(key) ?? null;
  keys = () => [...this.#items.keys()];

  /** What one tab sees of it. */
  forTab() {
    const tab = { hear: () => {} };
    this.#tabs.add(tab);
    const tell = (key, value) => {
      for (const other of this.#tabs) if (other !== tab) other.hear(key, value);
    };
    const storage = this;
    const shelf = {
      get length() {
        return storage.length;
      },
      key: this.key,
      getItem: this.getItem,
      setItem: (key, value) => {
        this.#items.set(key, value);
        tell(key, value);
      },
      removeItem: (key) => {
        if (this.#items.delete(key)) tell(key, null);
      },
    };
    return { shelf, tab, leave: () => this.#tabs.delete(tab) };
  }
}

/** Web Locks: exclusive, first come first served, freed when their tab goes. */
export class SharedLocks {
  #queues = new Map();

  /** The `navigator.locks` of one tab, and what ends that tab. */
  forTab() {
    const tab = {};
    const request = (name, hold) => new Promise((resolve) => {
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      const end = (value) => this.#end(name, entry, resolve, value);
      const entry = { tab, start: () => Promise.resolve(hold()).then(end) };
      queue.push(entry);
      if (queue.length === 1) entry.start();
    });
    const leave = () => {
      for (const [name, queue] of this.#queues) {
        for (const entry of queue.filter((one) => one.tab === tab)) this.#end(name, entry, () => {});
      }
    };
    return { locks: { request }, leave };
  }

  #end(name, entry, resolve, value) {
    const queue = this.#queues.get(name);
    const first = queue[0] === entry;
    this.#queues.set(name, queue.filter((one) => one !== entry));
    resolve(value);
    if (first) this.#queues.get(name)[0]?.start();
  }
}

let tabs = 0;

/** A client in one tab, and the world around it. */
export function openTab(given = {}) {
  const { storage = new SharedStorage(), locks = new SharedLocks(), clock = new StillClock(), ...more } = given;
  const wires = new Wires();
  const shared = storage.forTab();
  const held = locks?.forTab();
  const answers = { "GET /api/v1/session": [200, more.session ?? session] };
  const asked = [];
  let seed = (tabs += 1);
  const client = new Client({
    session: more.session ?? session,
    path: more.path ?? "/",
    url: "ws://localhost/ws",
    clock,
    WebSocket: wires.WebSocket,
    fetch: async (url, { method, body }) => {
      asked.push([`${method} ${url}`, body === null ? undefined : JSON.parse(body)]);
      const answer = answers[`${method} ${url}`];
      if (answer === undefined) throw new TypeError("refused");
      return new Response(JSON.stringify(answer[1]), { status: answer[0] });
    },
    shelf: shared.shelf,
    locks: held?.locks,
    fill: (bytes) => bytes.forEach((_, at) => (bytes[at] = (seed = (seed * 16807) % 2147483647) % 256)),
    go: (path, replace) => asked.push([replace ? "replace" : "push", path]),
    paint: (theme) => asked.push(["paint", theme]),
  });
  shared.tab.hear = (key, value) => client.stored(key, value);
  const { app } = client;
  return {
    client, app, actions: app.actions, wires, clock, storage, answers, asked,
    get state() {
      return app.state.value;
    },
    /** The tab is closed, or its page is left. */
    close() {
      shared.leave();
      held?.leave();
      wires.last?.ends(1001);
      for (const wire of wires.all) Object.assign(wire, { onmessage: null, onclose: null });
    },
  };
}

/** A tab that is connected and in these rooms. */
export async function connected(rooms = [room()], more = {}) {
  const tab = openTab(more);
  tab.wires.last.says(hello(rooms));
  await settled();
  return tab;
}
