// @ts-check
/**
 * Fetches messages page by page: waits for a connection, survives its loss, and asks again for what came too late.
 *
 * @import { MessagePage, Refusal, RoomId } from "../types/protocol.d.ts"
 * @import { Loading, State } from "../types/state.d.ts"
 * @import { Desk } from "./outbox.js"
 */

import { passes } from "../state/outbox.js";
import { loading, paged, unloaded } from "../state/store.js";
import { isOutdated, placeOf } from "../state/timeline.js";

/** How often a page is asked for again when it is out of date on arrival. */
const CHASES = 3;

export class Pages {
  /** @type {Desk} */
  #desk;
  /** @type {Map<string, Promise<void>>} */
  #loads = new Map();
  /** @type {Map<RoomId, Promise<void>>} */
  #turns = new Map();

  /** @param {Desk} desk */
  constructor(desk) {
    this.#desk = desk;
  }

  /**
   * A second call while one is under way is the same call.
   * @param {RoomId} room
   * @param {Loading} request
   * @param {number} [seq]
   * @returns {Promise<void>}
   */
  load(room, request, seq) {
    const key = JSON.stringify([room, request, seq]);
    const known = this.#loads.get(key);
    if (known !== undefined) return known;
    // One at a time: an older and a newest page would disagree on which window they belong to.
    const turn = (this.#turns.get(room) ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#fetch(room, request, seq));
    const load = turn.finally(() => {
      this.#loads.delete(key);
      if (this.#turns.get(room) === turn) this.#turns.delete(room);
    });
    this.#loads.set(key, load);
    this.#turns.set(room, turn);
    return load;
  }

  /**
   * @param {RoomId} room
   * @param {Loading} request
   * @param {number} [seq]
   */
  async #fetch(room, request, seq) {
    const { state, change, send, connected } = this.#desk;
    const { me } = state();
    for (let chases = 0; ;) {
      await connected();
      if (state().me?.id !== me?.id) return;
      const wanted = placeOf(state().timelines.get(room), request, seq);
      if (wanted === null) return;
      change(loading(state(), room, wanted.request));
      try {
        const page = await send({ type: "list_messages", room, ...wanted.place });
        const before = state();
        change(paged(before, room, wanted.request, page, wanted.asked));
        if (!this.#isLate(before, room, wanted.request, page) || ++chases > CHASES) return;
      } catch (thrown) {
        const error = /** @type {Refusal} */ (thrown);
        change(unloaded(state(), room));
        if (!passes(error)) throw error;
        if (state().connection.status === "open") await this.#pause(error.retry_after_ms ?? 1_000);
      }
    }
  }

  /**
   * Whether a page has to be asked for again.
   * @param {State} before
   * @param {RoomId} room
   * @param {Loading} request
   * @param {MessagePage} page
   */
  #isLate(before, room, request, page) {
    const timeline = before.timelines.get(room);
    if (timeline !== undefined && isOutdated(timeline, page)) return true;
    return request === "newest" && this.#desk.state().timelines.get(room)?.moreAfter === true;
  }

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  #pause(ms) {
    return new Promise((resolve) => void this.#desk.clock.after(ms, resolve));
  }
}
