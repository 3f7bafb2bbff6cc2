/** The messages of one group, as far as they are loaded: without a gap, oldest first. */

import { ApiError } from "./errors.js";
import { compare } from "./positions.js";

const FIRST_PAGE = 30;
const FULL_PAGE = 100;
// Who comes back after more than this starts again at the end.
const PAGES_TO_FILL = 5;

export class Messages {
  #api;
  #older;
  // Up to here there is no gap: a message of one's own may have been added behind others that are
  // not known yet.
  #joint;
  #refreshing = null;
  #refreshingAgain = null;
  #loadingOlder = null;
  /** @type {import("./api.js").Message[]} */
  rows = [];
  /** @type {"loading" | "ready" | "not_found" | "failed"} set by the store */
  status = "loading";

  /** @param {import("./api.js").Api} api */
  constructor(api, messageGroupUuid) {
    this.#api = api;
    this.uuid = messageGroupUuid;
  }

  get newest() {
    return this.rows.at(-1);
  }

  get hasOlder() {
    return Boolean(this.#older);
  }

  /** Load the newest page, with all that is unread if that fits into one. */
  async load(unreadCount = 0) {
    const limit = Math.min(Math.max(FIRST_PAGE, unreadCount + 10), FULL_PAGE);
    const page = await this.#api.messages(this.uuid, { limit });
    this.#older = page.next;
    [this.#joint] = page.rows;
    this.#merge(page.rows);
  }

  /** Load the page before the oldest. */
  loadOlder() {
    this.#loadingOlder ??= this.#loadOlder().finally(() => {
      this.#loadingOlder = null;
    });
    return this.#loadingOlder;
  }

  /**
   * Read the newest page again, and return what was not there.
   *
   * A message may turn up behind one that is known: its write was slow. So the page is read whole;
   * if it does not reach what is known, the links lead there. What is asked for while a page is
   * being read may be too new for it: once more, then.
   */
  refresh() {
    if (this.#refreshing) {
      const again = () => {
        this.#refreshingAgain = null;
        return this.refresh();
      };
      this.#refreshingAgain ??= this.#refreshing.then(again, again);
      return this.#refreshingAgain;
    }
    this.#refreshing = this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** Add what a send was answered with. */
  add(message) {
    return this.#merge([message]);
  }

  async #loadOlder() {
    try {
      const page = await this.#api.messages(this.uuid, { link: this.#older });
      this.#older = page.next;
      this.#merge(page.rows);
    } catch (error) {
      // A link that is refused is not followed again.
      if (error instanceof ApiError && !error.isTemporary) this.#older = undefined;
      throw error;
    }
  }

  async #refresh() {
    const known = this.#joint;
    let page = await this.#api.messages(this.uuid, { limit: FIRST_PAGE });
    const found = [...page.rows];
    // A page has no row where it only has messages that cannot be read.
    const isJoined = () => !page.next || (known && found.length && compare(found.at(-1), known) <= 0);
    for (let pages = 1; !isJoined() && pages < PAGES_TO_FILL; pages += 1) {
      page = await this.#api.messages(this.uuid, { link: page.next });
      found.push(...page.rows);
    }
    if (!isJoined()) {
      this.rows = [];
      this.#older = page.next;
    }
    [this.#joint = known] = found;
    return this.#merge(found);
  }

  #merge(rows) {
    const known = new Set(this.rows.map(key));
    const added = rows.filter((row) => !known.has(key(row)));
    if (added.length) this.rows = [...this.rows, ...added].sort(compare);
    return added.sort(compare);
  }
}

/** Two senders may give their messages the same uuid. */
const key = (row) => `${row.handle} ${row.uuid}`;
