/** What a browser may refuse to a page, as where its owner blocks all cookies. */

/** A storage; what the browser does not take, this page keeps for as long as it is there. */
class Texts {
  #kept;
  #ours = new Map();

  /** @param {"localStorage" | "sessionStorage"} name */
  constructor(name) {
    try {
      this.#kept = window[name];
    } catch (error) {
      if (error.name !== "SecurityError") throw error;
    }
  }

  /** @returns {string[]} */
  keys(prefix) {
    const keys = [...Object.keys(this.#kept ?? {}), ...this.#ours.keys()];
    return keys.filter((key) => key.startsWith(prefix));
  }

  /** @returns {string | null} */
  get(key) {
    return this.#ours.get(key) ?? this.#kept?.getItem(key) ?? null;
  }

  set(key, text) {
    this.#ours.delete(key);
    try {
      this.#kept.setItem(key, text);
    } catch {
      // It is full, or there is none.
      this.#kept?.removeItem(key);
      this.#ours.set(key, text);
    }
  }

  delete(key) {
    this.#ours.delete(key);
    this.#kept?.removeItem(key);
  }
}

export const ofAllTabs = new Texts("localStorage");
export const ofThisTab = new Texts("sessionStorage");

/** Act under a lock that all tabs share, or at once where the browser has none for this page. */
export async function locked(name, options, action) {
  try {
    return await navigator.locks.request(name, options, action);
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    return action();
  }
}

/** Whether a tab has a lock of this name. */
export async function isLocked(name) {
  const { held } = await navigator.locks.query().catch(() => ({ held: [] }));
  return held.some((lock) => lock.name === name);
}
