/** The API (docs/api.md): the only module that calls it, with its own names. */

import { ApiError, SignedOutError, UnreachableError } from "./errors.js";

// The gateway itself gives up after 30.
const SECONDS = 35_000;

/**
 * @typedef {{created_at: string, uuid: string}} Position
 * @typedef {{uuid: string, display_name: string, handle: string, message: string,
 *   created_at: string}} Message
 * @typedef {Message & {unread: boolean, muted: boolean, unread_count?: number,
 *   read_up_to?: Position | null, seen_up_to?: Position | null}} MessageGroup
 * @typedef {{uuid: string, handle: string, display_name: string, read_receipts: boolean}} Me
 */

/**
 * One page of a list: its rows, and where older (`next`) and newer (`prev`) ones are.
 * @template Row
 * @typedef {{rows: Row[], next?: string, prev?: string}} Page
 */

export class Api {
  #base;
  #session;

  /**
   * @param {string} base address of the API; "/" for that of the page
   * @param {import("./session.js").Session} session whose requests these are
   */
  constructor(base, session) {
    this.#base = new URL(base, location.origin);
    this.#session = session;
  }

  /** @returns {Promise<Me>} */
  me() {
    return this.#body("GET", "/api/me");
  }

  /** @returns {Promise<Me>} */
  updateMe(changes) {
    return this.#body("PATCH", "/api/me", changes);
  }

  /** @returns {Promise<{uuid: string, handle: string, display_name: string}>} */
  user(handle) {
    return this.#body("GET", `/api/users/${encodeURIComponent(handle)}/short`);
  }

  /** @returns {Promise<Page<MessageGroup>>} */
  messageGroups({ link = "/api/message_groups?counts=true&limit=30" } = {}) {
    return this.#page(link);
  }

  /** @returns {Promise<MessageGroup>} */
  messageGroup(uuid) {
    return this.#body("GET", `/api/message_groups/${encodeURIComponent(uuid)}`);
  }

  /** @returns {Promise<MessageGroup>} */
  mark(uuid, marks) {
    return this.#body("PATCH", `/api/message_groups/${encodeURIComponent(uuid)}`, marks);
  }

  /** @returns {Promise<Page<Message>>} */
  messages(uuid, { limit = 30, link } = {}) {
    return this.#page(link ?? `/api/messages/${encodeURIComponent(uuid)}?limit=${limit}`);
  }

  /**
   * Continue a message group, or write to someone.
   * @returns {Promise<Message & {message_group_uuid: string}>}
   */
  send({ message_group_uuid, handle, message, message_uuid }) {
    return message_group_uuid
      ? this.#body("POST", "/api/messages", { message_group_uuid, message, message_uuid })
      : this.#body("POST", "/api/message_groups", { handle, message, message_uuid });
  }

  /** @returns {Promise<{url: string, ticket: string, expires_at: string}>} */
  live() {
    return this.#body("POST", "/api/live", {});
  }

  async #body(method, path, body) {
    return content(await this.#request(method, path, body));
  }

  async #page(path) {
    const answer = await this.#request("GET", path);
    const links = answer.headers.get("link") ?? "";
    const found = links.matchAll(/<([^>]*)>;\s*rel="(\w+)"/g);
    const relations = Object.fromEntries([...found].map(([, target, name]) => [name, target]));
    return { rows: await content(answer), ...relations };
  }

  async #request(method, path, body) {
    let token = await this.#session.accessToken();
    let answer = await this.#fetch(method, path, body, token);
    if (answer.status === 401) {
      // The gateway's clock decides, or the keys have changed: once with a new token.
      token = await this.#session.accessToken({ insteadOf: token });
      answer = await this.#fetch(method, path, body, token);
    }
    if (answer.status === 401) {
      this.#session.end("expired");
      throw new SignedOutError();
    }
    if (answer.ok) return answer;
    const { errors = [] } = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, errors, Number(answer.headers.get("retry-after")) || 0);
  }

  async #fetch(method, path, body, token) {
    const headers = { authorization: `Bearer ${token}` };
    if (body) headers["content-type"] = "application/json";
    try {
      const url = new URL(path, this.#base);
      const signal = AbortSignal.timeout(SECONDS);
      return await fetch(url, { method, headers, body: body && JSON.stringify(body), signal });
    } catch (cause) {
      throw new UnreachableError(cause);
    }
  }
}

/** What an answer says; a connection that is cut in the middle of it is no answer. */
async function content(answer) {
  try {
    return await answer.json();
  } catch (cause) {
    throw new UnreachableError(cause);
  }
}
