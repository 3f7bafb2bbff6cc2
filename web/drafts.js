/** What a person has begun to write, by message group or handle, in this browser's storage. */

export class Drafts {
  #prefix;

  constructor(userUuid) {
    this.#prefix = `draft:${userUuid}:`;
  }

  get(to) {
    return localStorage.getItem(this.#prefix + to) ?? "";
  }

  set(to, text) {
    try {
      if (text) localStorage.setItem(this.#prefix + to, text);
      else localStorage.removeItem(this.#prefix + to);
    } catch {
      // The storage is full or closed: the draft is kept for as long as this page is there.
    }
  }

  clear() {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(this.#prefix)) localStorage.removeItem(key);
    }
  }
}
