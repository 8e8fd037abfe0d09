// @ts-check
/**
 * Coming in and going out: signing in, making an account, setting up the house, and what an invite leads to.
 *
 * @import { AccountActions, Actions } from "../types/state.d.ts"
 * @import { Desk } from "../net/outbox.js"
 *
 * @typedef {Desk & {
 *   fetch: typeof globalThis.fetch,
 *   connect(): void,
 *   start(): void,
 *   leave(): void,
 *   forget(user: string): void,
 *   navigate: Actions["navigate"],
 * }} Door `connect` opens the connection, `start` also takes up what the present user left in this browser, `leave`
 * ends everything that goes on for them, `forget` deletes what they left.
 */

import { api } from "../net/api.js";
import { initial, withSession } from "../state/store.js";

/**
 * @param {Door} door
 * @returns {AccountActions}
 */
export function account(door) {
  const http = api(door.fetch);
  /** Invite token → name of the room it leads to. @type {Map<string, string>} */
  const leads = new Map();
  /** @param {Promise<unknown>} asking */
  const enter = (asking) => entered(door, http, asking);
  return {
    isSignedIn: async () => {
      const session = await http.session();
      door.change(withSession(door.state(), session));
      return session.user !== null;
    },
    signIn: (draft) => enter(http.signIn(draft)),
    comeIn: (draft) => enter(http.comeIn(draft)),
    setUp: (draft) => enter(http.setUp(draft)),
    signUp: async (draft) => {
      await enter(http.signUp(draft));
      const lead = leads.get(draft.invite);
      if (lead === undefined) return;
      await door.connected();
      const found = [...door.state().rooms.values()].find(({ room }) => room.name === lead);
      if (found !== undefined) door.navigate(`/rooms/${found.room.id}`, { replace: true });
    },
    signOut: () => signedOut(door, http),
    viewInvite: async (token) => {
      const view = await http.viewInvite(token);
      if (view.room !== undefined) leads.set(token, view.room);
      return view;
    },
    acceptInvite: (token) => http.acceptInvite(token),
  };
}

/**
 * Signs in by `asking`, and connects as whoever that makes me.
 * @param {Door} door
 * @param {ReturnType<typeof api>} http
 * @param {Promise<unknown>} asking
 */
async function entered(door, http, asking) {
  await asking;
  const session = await http.session();
  const { me, path, build } = door.state();
  if (me !== null && me.id === session.user?.id) {
    door.change(withSession(door.state(), session));
    door.connect();
  } else {
    door.leave();
    door.change({ ...initial(session, path), build });
    if (session.user !== null) door.start();
  }
  if (/^\/(sign-in|setup|invite)$/.test(path)) door.navigate("/", { replace: true });
}

/**
 * @param {Door} door
 * @param {ReturnType<typeof api>} http
 */
async function signedOut(door, http) {
  await http.signOut();
  const { me, session, build } = door.state();
  door.leave();
  if (me !== null) door.forget(me.id);
  const now = await http.session().catch(() => ({ ...session, user: null, role: undefined, session: null }));
  door.change({ ...initial(now, "/"), build });
  door.navigate("/");
}
