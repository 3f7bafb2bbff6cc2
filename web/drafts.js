/** What a person has begun to write, by message group or handle, in this browser's storage. */

import { ofAllTabs } from "./browser.js";

export class Drafts {
  #prefix;

  constructor(userUuid) {
    this.#prefix = `draft:${userUuid}:`;
  }

  get(to) {
    return ofAllTabs.get(this.#prefix + to) ?? "";
  }

  set(to, text) {
    if (text) ofAllTabs.set(this.#prefix + to, text);
    else ofAllTabs.delete(this.#prefix + to);
  }

  move(from, to) {
    const text = this.get(from);
    if (text) this.set(to, text);
    this.set(from, "");
  }

  clear() {
    for (const key of ofAllTabs.keys(this.#prefix)) ofAllTabs.delete(key);
  }
}
