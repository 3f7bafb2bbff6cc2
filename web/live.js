/**
 * What tells the store that something has changed: hints by WebSocket, and polling, which is rare
 * while there are hints.
 *
 * One tab of a person's holds the connection, as long as it holds a lock of the browser; it passes
 * the hints on to the others. A hint may be lost, doubled or late: it only says what to read anew.
 */

import { locked } from "./browser.js";
import { ApiError, SignedOutError, UnreachableError } from "./errors.js";

const SECOND = 1000;
const POLL = { live: 60 * SECOND, visible: 4 * SECOND, hidden: 60 * SECOND };
const PING = 5 * 60 * SECOND;
const PONG = 10 * SECOND;
const BEFORE_THE_END = 30 * SECOND;
const STEADY = 10 * SECOND;
const LONGEST_WAIT = 60 * SECOND;

export class Live {
  #store;
  #hasSocket;
  #channel;
  #socket = null;
  #isLive = false;
  #isLeading = false;
  #failures = 0;
  #isReplaced = false;
  #pollTimer = 0;
  #socketTimers = new Set();
  #stopping = new AbortController();

  /** @param {import("./store.js").Store} store */
  constructor(store, { hasSocket }) {
    this.#store = store;
    this.#hasSocket = hasSocket;
    this.#channel = new BroadcastChannel(`live:${store.me.uuid}`);
  }

  start() {
    const { signal } = this.#stopping;
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    document.addEventListener("visibilitychange", () => this.#look(), { signal });
    addEventListener("online", () => this.#look(), { signal });
    this.#channel.postMessage({ type: "who" });
    this.#schedulePoll();
    if (this.#hasSocket) this.#lead();
  }

  stop() {
    this.#stopping.abort();
    this.#channel.close();
    clearTimeout(this.#pollTimer);
    this.#disconnect();
  }

  /** Hold the connection for all tabs from the moment on when no other tab does. */
  async #lead() {
    const { signal } = this.#stopping;
    try {
      await locked(`live:${this.#store.me.uuid}`, { signal }, async () => {
        this.#isLeading = true;
        // The tab that held it may have gone without a word.
        this.#setLive(false);
        this.#connect();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      });
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  async #connect() {
    if (this.#stopping.signal.aborted) return;
    let ticket;
    try {
      ticket = await this.#store.api.live();
    } catch (error) {
      if (error instanceof SignedOutError) return;
      if (!(error instanceof UnreachableError || error instanceof ApiError)) throw error;
      this.#reconnect();
      return;
    }
    if (this.#stopping.signal.aborted) return;
    const socket = new WebSocket(`${ticket.url}?ticket=${encodeURIComponent(ticket.ticket)}`);
    this.#socket = socket;
    socket.onopen = () => this.#opened(ticket.expires_at);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  #opened(expiresAt) {
    this.#setLive(true);
    // What came before was not told.
    this.#pass({ type: "everything" });
    this.#after(STEADY, () => {
      this.#failures = 0;
    });
    this.#after(PING, () => this.#ping());
    const lasts = new Date(expiresAt) - Date.now() - BEFORE_THE_END;
    // A clock of this machine that is fast is no reason to connect all the time.
    this.#after(Math.max(lasts, PING), () => this.#lost({ wait: 0 }));
  }

  #receive(text) {
    const hint = JSON.parse(text);
    if (hint.type === "pong") {
      clearTimeout(this.#pongTimer);
    } else if (hint.type === "closing") {
      this.#isReplaced = hint.reason === "replaced";
    } else {
      this.#pass(hint);
    }
  }

  #pongTimer = 0;

  #ping() {
    this.#socket?.send(JSON.stringify({ type: "ping" }));
    this.#pongTimer = this.#after(PONG, () => this.#lost());
    this.#after(PING, () => this.#ping());
  }

  #lost({ wait } = {}) {
    this.#disconnect();
    // Too many connections of this person: they would throw each other out in turn.
    if (!this.#isReplaced) this.#reconnect(wait);
  }

  #reconnect(wait) {
    const doubled = Math.min(SECOND * 2 ** this.#failures, LONGEST_WAIT);
    this.#failures += 1;
    this.#after(wait ?? doubled * (0.5 + Math.random() / 2), () => this.#connect());
  }

  #disconnect() {
    for (const timer of this.#socketTimers) clearTimeout(timer);
    this.#socketTimers.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    if (this.#isLive) this.#setLive(false);
  }

  #after(milliseconds, action) {
    const timer = setTimeout(() => {
      this.#socketTimers.delete(timer);
      action();
    }, milliseconds);
    this.#socketTimers.add(timer);
    return timer;
  }

  #setLive(isLive) {
    this.#pass({ type: "live", isLive });
  }

  /** Act on a hint in every tab. */
  #pass(hint) {
    if (this.#stopping.signal.aborted) return;
    this.#channel.postMessage(hint);
    this.#hear(hint);
  }

  #hear(hint) {
    const store = this.#store;
    if (hint.type === "live") {
      this.#isLive = hint.isLive;
      this.#schedulePoll();
    } else if (hint.type === "who") {
      // A new tab asks whether there are hints.
      if (this.#isLeading && this.#isLive) this.#setLive(true);
    } else if (hint.type === "everything") {
      this.#poll();
    } else if (hint.type === "message_group") {
      store.refresh(hint.uuid);
    } else if (hint.type === "marks") {
      store.refreshGroup(hint.uuid);
    } else if (hint.type === "receipt") {
      store.receive(hint.uuid, { created_at: hint.created_at, uuid: hint.message_uuid });
    }
  }

  /** Someone looks at this tab again, or the network is back. */
  #look() {
    if (!document.hidden) {
      this.#poll();
      if (this.#isLeading && !this.#isLive) {
        this.#isReplaced = false;
        this.#disconnect();
        this.#connect();
      }
    }
    this.#schedulePoll();
  }

  async #poll() {
    await Promise.all([this.#store.refreshGroups(), this.#store.refreshMessages(this.#store.open)]);
  }

  #schedulePoll() {
    clearTimeout(this.#pollTimer);
    if (this.#stopping.signal.aborted) return;
    const wait = document.hidden ? POLL.hidden : this.#isLive ? POLL.live : POLL.visible;
    this.#pollTimer = setTimeout(async () => {
      await this.#poll();
      this.#schedulePoll();
    }, wait);
  }
}
