// @ts-check
/**
 * What goes over HTTP: who is signed in, and getting in. Everything else goes over the socket.
 *
 * @import { InviteView, Refusal, Session, SignedIn } from "../types/protocol.d.ts"
 */

const TIMEOUT_MS = 15_000;
/** What is made once: without an answer nobody knows whether it was. Asking for the rest twice does no harm. */
const MAKING = new Set(["/setup", "/users", "/guests"]);

/**
 * @param {typeof globalThis.fetch} fetch
 * @param {string} [base]
 */
export function api(fetch, base = "/api/v1") {
  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async function ask(method, path, body) {
    const response = await reached(fetch(base + path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }), path);
    const answer = await response.json().catch(() => null);
    if (response.ok) return answer;
    throw refusal(answer, response);
  }

  return {
    /** @returns {Promise<Session>} */
    session: () => ask("GET", "/session"),
    /**
     * @param {{ name: string, password: string }} draft
     * @returns {Promise<SignedIn>}
     */
    signIn: ({ name, password }) => ask("POST", "/session", { name, password }),
    /** @returns {Promise<unknown>} */
    signOut: () => ask("DELETE", "/session"),
    /**
     * @param {{ name: string }} draft
     * @returns {Promise<SignedIn>}
     */
    comeIn: ({ name }) => ask("POST", "/guests", { name }),
    /**
     * @param {{ token: string, name: string, password: string }} draft
     * @returns {Promise<SignedIn>}
     */
    setUp: ({ token, name, password }) => ask("POST", "/setup", { token, name, password }),
    /**
     * @param {{ invite: string, name: string, password: string }} draft
     * @returns {Promise<SignedIn>}
     */
    signUp: ({ invite, name, password }) => ask("POST", "/users", { invite, name, password }),
    /**
     * @param {string} token
     * @returns {Promise<InviteView>}
     */
    viewInvite: (token) => ask("POST", "/invites/view", { token }),
    /**
     * @param {string} token
     * @returns {Promise<import("../types/protocol.d.ts").Room | null>}
     */
    acceptInvite: (token) => ask("POST", "/invites/accept", { token }),
  };
}

/**
 * @param {Promise<Response>} fetching
 * @param {string} path
 */
async function reached(fetching, path) {
  try {
    return await fetching;
  } catch {
    const code = MAKING.has(path) ? "unknown" : "offline";
    throw /** @type {Refusal} */ ({ code, params: {}, message: "The server could not be reached." });
  }
}

/**
 * @param {any} answer
 * @param {Response} response
 * @returns {Refusal}
 */
function refusal(answer, response) {
  if (typeof answer?.code === "string") return { params: {}, message: "", ...answer };
  // Not our words: a proxy in between answered.
  const busy = [429, 502, 503, 504].includes(response.status);
  return { code: busy ? "overloaded" : "internal", params: {}, message: `HTTP ${response.status}` };
}
