/**
 * Messages on their way: in the browser's storage until the API has them, one person's alone.
 *
 * Each is sent under its own `message_uuid`, so that a repetition stores nothing twice. The API
 * remembers these names for seven days: after six nothing is repeated without a question.
 */

import { locked, ofAllTabs } from "./browser.js";
import { ApiError, SignedOutError, UnreachableError } from "./errors.js";

const NAMES_HOLD = 6 * 24 * 3600_000;
const FIRST_WAIT = 2000;
const LONGEST_WAIT = 60_000;

/**
 * @typedef {object} Entry
 * @property {string} message_uuid
 * @property {string} [message_group_uuid] or else
 * @property {string} [handle] to whom it goes
 * @property {string} message
 * @property {number} written_at by this machine's clock
 * @property {number} [first_attempt_at]
 * @property {"pending" | "unconfirmed" | "refused" | "expired"} state
 * @property {string[]} [codes] why it was refused
 */

export class Outbox extends EventTarget {
  #prefix;
  #api;
  #user;
  #delivered;
  #entries = new Map();
  #running = false;
  #again = false;
  #failures = 0;
  #timer = 0;
  #stopped = false;
  #listening = new AbortController();

  /**
   * @param {import("./api.js").Api} api
   * @param {string} userUuid whose messages these are
   * @param {(sent: object) => Promise<void>} delivered called with the API's answer
   */
  constructor(api, userUuid, delivered) {
    super();
    this.#api = api;
    this.#user = userUuid;
    this.#prefix = `outbox:${userUuid}:`;
    this.#delivered = delivered;
    const { signal } = this.#listening;
    addEventListener("storage", (event) => this.#hear(event), { signal });
    addEventListener("online", () => this.flush(), { signal });
    for (const key of ofAllTabs.keys(this.#prefix)) this.#load(key, ofAllTabs.get(key));
  }

  /** @returns {Entry[]} in the order in which they were written */
  get entries() {
    return [...this.#entries.values()].sort((a, b) => a.written_at - b.written_at);
  }

  /** @param {Pick<Entry, "message_group_uuid" | "handle" | "message">} what */
  add(what) {
    const entry = {
      ...what,
      message_uuid: crypto.randomUUID(),
      written_at: Date.now(),
      state: "pending",
    };
    this.#put(entry);
    this.flush();
    return entry;
  }

  /** Try again now, under the same name. */
  retry(entry) {
    this.#put({ ...entry, state: "pending" });
    this.flush();
  }

  /** Send a text again whose name the API may have forgotten: it may then be there twice. */
  sendAsNew(entry) {
    this.discard(entry);
    const { message_group_uuid, handle, message } = entry;
    return this.add({ message_group_uuid, handle, message });
  }

  discard(entry) {
    this.#entries.delete(entry.message_uuid);
    ofAllTabs.delete(this.#prefix + entry.message_uuid);
    this.#changed();
  }

  /** Forget the entry of a message that a list shows: its answer was lost, but it was stored. */
  settle(messageUuid) {
    const entry = this.#entries.get(messageUuid);
    if (entry) this.discard(entry);
  }

  /** Forget everything. */
  clear() {
    for (const entry of this.entries) this.discard(entry);
  }

  stop() {
    this.#stopped = true;
    this.#listening.abort();
    clearTimeout(this.#timer);
  }

  /** Send what waits, in order; only one tab does at a time. */
  async flush() {
    this.#again = true;
    if (this.#running || this.#stopped) return;
    this.#running = true;
    clearTimeout(this.#timer);
    try {
      await locked(`outbox:${this.#user}`, {}, async () => {
        while (this.#again && !this.#stopped) {
          this.#again = false;
          await this.#sendAll();
        }
      });
    } finally {
      this.#running = false;
    }
  }

  async #sendAll() {
    const waiting = new Set();
    let pause = 0;
    for (const { message_uuid } of this.entries) {
      // Another tab may have sent or changed it meanwhile.
      const entry = this.#entries.get(message_uuid);
      if (!entry || this.#stopped || entry.state === "refused" || entry.state === "expired")
        continue;
      const to = entry.message_group_uuid ?? entry.handle;
      // A message group keeps its order, and the others do not wait for it.
      if (waiting.has(to)) continue;
      if (Date.now() - (entry.first_attempt_at ?? Date.now()) > NAMES_HOLD) {
        this.#put({ ...entry, state: "expired" });
        continue;
      }
      try {
        await this.#send(entry);
        this.#failures = 0;
      } catch (error) {
        if (error instanceof SignedOutError) return;
        if (!(error instanceof UnreachableError || error instanceof ApiError)) throw error;
        waiting.add(to);
        pause = Math.max(pause, error.retryAfter ?? 0);
      }
    }
    if (waiting.size) this.#tryLater(pause);
  }

  async #send(entry) {
    const isOnline = navigator.onLine;
    const attempt = { ...entry, first_attempt_at: entry.first_attempt_at ?? Date.now() };
    this.#put(attempt);
    try {
      const sent = await this.#api.send(attempt);
      if (this.#stopped) return;
      await this.#delivered(sent);
      this.settle(entry.message_uuid);
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) {
        this.#put({ ...attempt, state: "refused", codes: error.codes });
        return;
      }
      // Without a network and after 429 nothing was done; after all others it may have been.
      const unknown = isOnline && !(error instanceof SignedOutError) && error.status !== 429;
      if (this.#entries.has(entry.message_uuid) && unknown) {
        this.#put({ ...attempt, state: "unconfirmed" });
      }
      throw error;
    }
  }

  #tryLater(seconds) {
    const doubled = Math.min(FIRST_WAIT * 2 ** this.#failures, LONGEST_WAIT);
    this.#failures += 1;
    const wait = Math.max(seconds * 1000, doubled * (0.5 + Math.random() / 2));
    this.#timer = setTimeout(() => this.flush(), wait);
  }

  #put(entry) {
    if (this.#stopped) return;
    this.#entries.set(entry.message_uuid, entry);
    ofAllTabs.set(this.#prefix + entry.message_uuid, JSON.stringify(entry));
    this.#changed();
  }

  #hear({ key, newValue }) {
    if (!key?.startsWith(this.#prefix)) return;
    if (newValue !== null) {
      this.#load(key, newValue);
      this.#changed();
      return;
    }
    const messageUuid = key.slice(this.#prefix.length);
    const entry = this.#entries.get(messageUuid);
    if (!entry) return;
    this.#entries.delete(messageUuid);
    this.dispatchEvent(new CustomEvent("gone", { detail: entry }));
  }

  #load(key, text) {
    this.#entries.set(key.slice(this.#prefix.length), JSON.parse(text));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
