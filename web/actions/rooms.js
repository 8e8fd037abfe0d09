// @ts-check
/**
 * Opening, joining and leaving rooms, and making links that lead to them.
 *
 * @import { Command, Refusal, Room } from "../types/protocol.d.ts"
 * @import { RoomActions } from "../types/state.d.ts"
 * @import { Desk } from "../net/outbox.js"
 */

import { joined, left } from "../state/rooms.js";

/**
 * @param {Desk} desk
 * @returns {RoomActions}
 */
export function rooms(desk) {
  const create = creating(desk);
  /** @param {Room} room */
  const member = (room) => {
    desk.change(joined(desk.state(), room));
    return room;
  };
  return {
    openRoom: async ({ name, kind }) => member(await create(
      ["open_room", name, kind], (nonce) => ({ type: "open_room", name, kind, nonce }))),
    joinRoom: async (room) => member(await desk.send({ type: "join_room", room })),
    leaveRoom: async (room) => {
      const told = desk.state().rooms.get(room)?.leftBy !== undefined;
      if (!told) await desk.send({ type: "leave_room", room });
      desk.change(left(desk.state(), room));
    },
    createInvite: (draft) => create(["create_invite", draft], (nonce) => ({ type: "create_invite", ...draft, nonce })),
  };
}

/**
 * Creates something, under the same nonce as before when nobody knows what became of the last attempt.
 * @param {Desk} desk
 */
function creating({ send, nonce: fresh, clock }) {
  /** Nonces of creations whose outcome is not known. @type {Map<string, string>} */
  const making = new Map();
  /**
   * @param {unknown} draft
   * @param {(nonce: string) => Command} command
   * @returns {Promise<any>}
   */
  return async (draft, command) => {
    const key = JSON.stringify(draft);
    const nonce = making.get(key) ?? fresh(clock.now());
    making.set(key, nonce);
    try {
      const made = await send(command(nonce));
      making.delete(key);
      return made;
    } catch (thrown) {
      if (/** @type {Refusal} */ (thrown).code !== "unknown") making.delete(key);
      throw thrown;
    }
  };
}
