/**
 * Who is signed in, in this tab.
 *
 * Access tokens are in memory alone. The refresh token is in the tab's sessionStorage, so that a
 * reload keeps it and the end of the tab takes it away. A new tab asks the open ones for it.
 */

import { isLocked, locked, ofThisTab } from "./browser.js";
import { CognitoError } from "./cognito.js";
import { SignedOutError, UnreachableError } from "./errors.js";

const KEY = "session";
const EARLY = 120_000;
const HAND_OVER = 1000;

/** @typedef {import("./api.js").Me} Me */

export class Session extends EventTarget {
  #cognito;
  #refreshToken;
  #accessToken = "";
  #goodUntil = 0;
  #refreshing = null;
  #timer = 0;
  #channel = new BroadcastChannel(KEY);
  /** @type {"" | "expired" | "signed_out"} why it is over */
  ended = "";
  /** @type {Me | undefined} */
  me;

  /** @param {{refresh_token: string, me?: Me}} saved */
  constructor(cognito, saved) {
    super();
    this.#cognito = cognito;
    this.#refreshToken = saved.refresh_token;
    this.me = saved.me;
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#save();
    // So that a new tab knows that there is one to ask.
    const ended = new Promise((resolve) => this.addEventListener("end", resolve));
    locked(KEY, { mode: "shared" }, () => ended);
  }

  /** The session of what Cognito gave for a password. */
  static begin(cognito, result) {
    const session = new Session(cognito, { refresh_token: result.RefreshToken });
    session.#take(result);
    return session;
  }

  /** The session of this tab before a reload, or of another tab; null where nobody is signed in. */
  static async resume(cognito) {
    const saved = read() ?? (await askOtherTabs());
    return saved && new Session(cognito, saved);
  }

  /** Remember who this is. */
  identify(me) {
    this.me = me;
    this.#save();
  }

  /**
   * A token that is good for at least a moment.
   * @param {{insteadOf?: string}} options a token that was refused
   */
  async accessToken({ insteadOf } = {}) {
    if (this.ended) throw new SignedOutError();
    if (this.#accessToken !== insteadOf && Date.now() < this.#goodUntil) return this.#accessToken;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
    return this.#accessToken;
  }

  /** Take the refresh token back everywhere, and forget this person here. */
  async signOut() {
    this.#channel.postMessage({ type: "signed_out", user_uuid: this.me?.uuid });
    const token = this.#refreshToken;
    this.end("signed_out");
    try {
      await this.#cognito.revoke(token);
    } catch (error) {
      // Offline: the token ends by itself, and nobody has it any more.
      if (!(error instanceof UnreachableError || error instanceof CognitoError)) throw error;
    }
  }

  /** @param {"expired" | "signed_out"} why */
  end(why) {
    if (this.ended) return;
    this.ended = why;
    this.#accessToken = this.#refreshToken = "";
    clearTimeout(this.#timer);
    this.#channel.close();
    ofThisTab.delete(KEY);
    this.dispatchEvent(new Event("end"));
  }

  async #refresh() {
    try {
      this.#take(await this.#cognito.refresh(this.#refreshToken));
    } catch (error) {
      if (!(error instanceof CognitoError)) throw error;
      // That too many ask says nothing of who does.
      if (error.code === "TooManyRequestsException") throw new UnreachableError(error);
      this.end("expired");
      throw new SignedOutError();
    }
  }

  #take({ AccessToken, ExpiresIn }) {
    this.#accessToken = AccessToken;
    const lasts = Math.max(ExpiresIn * 1000 - EARLY, (ExpiresIn * 1000) / 2);
    this.#goodUntil = Date.now() + lasts;
    clearTimeout(this.#timer);
    // So that nobody waits for it; without a network, the next request tries again.
    this.#timer = setTimeout(() => this.accessToken().catch(() => {}), lasts);
  }

  #save() {
    ofThisTab.set(KEY, JSON.stringify({ refresh_token: this.#refreshToken, me: this.me }));
  }

  #hear(message) {
    if (message.type === "ask") {
      this.#channel.postMessage({ type: "offer", refresh_token: this.#refreshToken, me: this.me });
    } else if (message.type === "signed_out" && message.user_uuid === this.me?.uuid) {
      this.end("signed_out");
    }
  }
}

function read() {
  return JSON.parse(ofThisTab.get(KEY) ?? "null");
}

async function askOtherTabs() {
  if (!(await isLocked(KEY))) return null;
  const channel = new BroadcastChannel(KEY);
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => data.type === "offer" && resolve(data);
    setTimeout(resolve, HAND_OVER, null);
    channel.postMessage({ type: "ask" });
  }).finally(() => channel.close());
}
