/**
 * What one person sees: their message groups, their messages, what is on its way, and how well the
 * API is reached. Elements show it, call its methods, and draw themselves anew at "change".
 */

import { Drafts } from "./drafts.js";
import { ApiError, SignedOutError, UnreachableError } from "./errors.js";
import { Live } from "./live.js";
import { Messages } from "./messages.js";
import { Outbox } from "./outbox.js";
import { compare, isCovered } from "./positions.js";

const BETWEEN_MARKS = 3000;
// A list may be behind the marks that were made just now.
const LIST_IS_BEHIND = 5000;

/** @typedef {import("./api.js").MessageGroup} MessageGroup */

export class Store extends EventTarget {
  #session;
  #groups = new Map();
  #moreGroups;
  #messages = new Map();
  #markedAt = new Map();
  #asked = 0;
  #answered = new Map();
  // Up to where marks are asked for or were refused; and those of them that are still to be sent.
  #asking = new Map();
  #unsent = new Set();
  #marking = 0;
  #outages = 0;
  #listening = new AbortController();
  /** @type {"loading" | "ready" | "failed"} */
  status = "loading";
  /** @type {"" | "offline" | "unreachable"} */
  trouble = "";
  /** The message group that is shown. */
  open = "";

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./session.js").Session} session whose `me` is known
   */
  constructor(api, session, { hasSocket }) {
    super();
    this.#session = session;
    this.api = api;
    this.drafts = new Drafts(this.me.uuid);
    this.outbox = new Outbox(this.api, this.me.uuid, (sent) => this.#sent(sent));
    this.live = new Live(this, { hasSocket });
    const { signal } = this.#listening;
    this.outbox.addEventListener("change", () => this.#changed(), { signal });
    this.outbox.addEventListener("gone", ({ detail }) => this.#sentElsewhere(detail), { signal });
    addEventListener("online", () => this.#reached(), { signal });
    addEventListener("offline", () => this.#goOffline(), { signal });
  }

  get me() {
    return this.#session.me;
  }

  /** @returns {MessageGroup[]} newest first */
  get messageGroups() {
    return [...this.#groups.values()].sort((a, b) => compare(b, a));
  }

  get hasMoreGroups() {
    return Boolean(this.#moreGroups);
  }

  /** How many messages are unread in the groups that are not muted; a marked one counts as one. */
  get unreadCount() {
    return this.messageGroups
      .filter((group) => group.unread && !group.muted)
      .reduce((sum, group) => sum + (group.unread_count || 1), 0);
  }

  /** @returns {MessageGroup | undefined} */
  messageGroup(uuid) {
    return this.#groups.get(uuid);
  }

  /** @returns {MessageGroup | undefined} */
  messageGroupWith(handle) {
    const wanted = handle.toLowerCase();
    return this.messageGroups.find((group) => group.handle.toLowerCase() === wanted);
  }

  /** @returns {Messages | undefined} */
  messages(uuid) {
    return this.#messages.get(uuid);
  }

  /** What is on its way to a message group, or to a person with whom there is none yet. */
  outgoing({ uuid, handle }) {
    return this.outbox.entries.filter(
      (entry) => (uuid && entry.message_group_uuid === uuid) || (handle && entry.handle === handle),
    );
  }

  /** @param {Promise<object>} listed the newest page of the list, which was asked for before */
  async start(listed) {
    this.outbox.flush();
    await this.refreshGroups(listed);
    // Meanwhile the session may have turned out to be over.
    if (!this.#listening.signal.aborted) this.live.start();
  }

  /** Stop everything; who signs out leaves nothing in this browser's storage. */
  stop({ forget }) {
    this.#listening.abort();
    clearTimeout(this.#marking);
    this.live.stop();
    this.outbox.stop();
    if (forget) {
      this.outbox.clear();
      this.drafts.clear();
    }
  }

  signOut() {
    return this.#session.signOut();
  }

  /** Read again who this is: another client of theirs may have changed it. */
  async refreshMe() {
    await this.#try(async () => this.#session.identify(await this.api.me()));
    this.#changed();
  }

  async setReadReceipts(isOn) {
    await this.#try(async () => {
      this.#session.identify(await this.api.updateMe({ read_receipts: isOn }));
      // Whether one sees how far others have read depends on it.
      if (this.open) await this.#readGroup(this.open);
    });
    this.#changed();
  }

  /** Read the newest page of the list, and on to what is known. */
  async refreshGroups(listed) {
    const isFirst = this.status !== "ready";
    if (this.status === "failed") this.status = "loading";
    const done = await this.#try(async () => {
      let page = await (listed ?? this.api.messageGroups());
      if (isFirst) this.#moreGroups = page.next;
      const rows = [...page.rows];
      while (!isFirst && page.next && !page.rows.some((row) => this.#groups.has(row.uuid))) {
        page = await this.api.messageGroups({ link: page.next });
        rows.push(...page.rows);
      }
      for (const row of rows) this.#mergeListed(row);
      return true;
    });
    if (done) this.status = "ready";
    else if (isFirst) this.status = "failed";
    this.#changed();
  }

  async loadMoreGroups() {
    const link = this.#moreGroups;
    if (!link || this.trouble) return;
    this.#moreGroups = undefined;
    const page = await this.#try(() => this.api.messageGroups({ link }));
    this.#moreGroups = page ? page.next : this.trouble && link;
    for (const row of page?.rows ?? []) this.#mergeListed(row);
    this.#changed();
  }

  /** Show a message group: as it was left, unless something is unread, which has its own place. */
  async show(uuid) {
    this.open = uuid;
    if (this.#groups.get(uuid)?.unread) this.#messages.delete(uuid);
    if (this.#messages.get(uuid)?.status === "ready") await this.refreshMessages(uuid);
    else await this.#load(uuid);
  }

  async #load(uuid) {
    const messages = this.#messages.get(uuid) ?? new Messages(this.api, uuid);
    this.#messages.set(uuid, messages);
    messages.status = "loading";
    this.#changed();
    const unreadCount = this.#groups.get(uuid)?.unread_count;
    messages.status =
      (await this.#try(async () => {
        try {
          // Nothing is shown without the mark up to which it is read.
          await Promise.all([this.#readGroup(uuid), messages.load(unreadCount)]);
          return "ready";
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return "not_found";
          throw error;
        }
      })) ?? "failed";
    this.#settle(messages);
    this.#changed();
  }

  async loadOlder(uuid) {
    await this.#try(() => this.#messages.get(uuid).loadOlder());
    this.#changed();
  }

  /** Read what has come to a message group: its messages if they are shown, its row if not. */
  refresh(uuid) {
    return uuid === this.open ? this.refreshMessages(uuid) : this.refreshGroup(uuid);
  }

  /** Read the newest messages of a group, and tell of those that are new. */
  async refreshMessages(uuid) {
    const messages = this.#messages.get(uuid);
    if (messages?.status === "failed") await this.#load(uuid);
    if (messages?.status !== "ready") return;
    const added = await this.#try(() => messages.refresh());
    this.#settle(messages);
    for (const message of added ?? []) {
      this.#mergeNewest(uuid, message);
      if (message.handle !== this.me.handle) this.#tell("incoming", { uuid, message });
    }
    const { newest } = messages;
    const isUnseen = newest?.handle === this.me.handle && !this.isSeen(uuid, newest);
    if (added?.length || isUnseen) await this.refreshGroup(uuid);
    this.#changed();
  }

  /** Whether the other member has read a message. */
  isSeen(uuid, message) {
    return isCovered(message, this.#groups.get(uuid)?.seen_up_to);
  }

  /** Read a group's marks, which the list shows a moment later. */
  async refreshGroup(uuid) {
    await this.#try(() => this.#readGroup(uuid));
    this.#changed();
  }

  /** Note how far the other member has read. */
  receive(uuid, seenUpTo) {
    const group = this.#groups.get(uuid);
    if (!group || isCovered(seenUpTo, group.seen_up_to)) return;
    this.#groups.set(uuid, { ...group, seen_up_to: seenUpTo });
    this.#changed();
  }

  /** Mark as read up to a message that was on the screen; at most every few seconds. */
  read(uuid, message) {
    const group = this.#groups.get(uuid);
    const position = { created_at: message.created_at, uuid: message.uuid };
    if (!group || (!group.unread && isCovered(position, group.read_up_to))) return;
    if (isCovered(position, this.#asking.get(uuid))) return;
    this.#asking.set(uuid, position);
    this.#unsent.add(uuid);
    if (position.created_at >= group.created_at) {
      // Nobody has to see for a moment that what they look at is unread.
      this.#groups.set(uuid, { ...group, unread: false, unread_count: 0 });
      this.#markedAt.set(uuid, Date.now());
      this.#changed();
    }
    if (!this.#marking) this.#markRead();
  }

  markUnread(uuid) {
    this.#asking.delete(uuid);
    this.#unsent.delete(uuid);
    return this.#mark(uuid, { marked_unread: true });
  }

  mute(uuid, muted) {
    return this.#mark(uuid, { muted });
  }

  /** @param {{uuid?: string, handle: string}} to a message group, or a person */
  send({ uuid, handle }, message) {
    return this.outbox.add(uuid ? { message_group_uuid: uuid, message } : { handle, message });
  }

  #markRead() {
    for (const uuid of this.#unsent) this.#mark(uuid, { read_up_to: this.#asking.get(uuid) });
    this.#unsent.clear();
    this.#marking = setTimeout(() => {
      this.#marking = 0;
      if (this.#unsent.size) this.#markRead();
    }, BETWEEN_MARKS);
  }

  async #mark(uuid, marks) {
    const done = await this.#try(() => this.#takeGroup(this.api.mark(uuid, marks)));
    // What did not get through is asked for again by who looks at it; what was refused is not.
    const isRefused = done === null;
    if (!isRefused && this.#asking.get(uuid) === marks.read_up_to) this.#asking.delete(uuid);
    this.#changed();
  }

  #readGroup(uuid) {
    return this.#takeGroup(this.api.messageGroup(uuid));
  }

  /** Merge a group when it comes, unless what was asked for later came before. */
  async #takeGroup(asked) {
    this.#asked += 1;
    const turn = this.#asked;
    const group = await asked;
    if (turn < (this.#answered.get(group.uuid) ?? 0)) return;
    this.#answered.set(group.uuid, turn);
    const known = this.#groups.get(group.uuid);
    this.#mergeMarked(group, known);
    if (this.status === "ready") this.#tellNews(group, known);
  }

  /** A row of the list: its marks may be older than those that are known, its place never is. */
  #mergeListed(row) {
    const known = this.#groups.get(row.uuid);
    if (!known) {
      this.#groups.set(row.uuid, row);
      return;
    }
    const sinceMark = Date.now() - (this.#markedAt.get(row.uuid) ?? 0);
    const isBehind = sinceMark < LIST_IS_BEHIND && row.created_at <= known.created_at;
    const { unread, unread_count, muted } = isBehind ? known : row;
    const place = row.created_at < known.created_at ? known : row;
    this.#groups.set(row.uuid, { ...known, ...place, unread, unread_count, muted });
    this.#tellNews({ ...row, unread_count }, known);
  }

  /** What comes to the open group is told when its messages are there. */
  #tellNews(group, known) {
    if (group.uuid === this.open || (group.unread_count ?? 0) <= (known?.unread_count ?? 0)) return;
    this.#tell("incoming", { uuid: group.uuid, message: group });
  }

  /** A group as it was read by itself, or as a mark was answered: its marks are the truth. */
  #mergeMarked(group, known) {
    const place = known && group.created_at < known.created_at ? known : group;
    const { message, created_at } = place;
    this.#groups.set(group.uuid, { ...group, message, created_at });
    this.#markedAt.set(group.uuid, Date.now());
  }

  /** A message that the list does not show yet. */
  #mergeNewest(uuid, { message, created_at }) {
    const group = this.#groups.get(uuid);
    if (group && created_at > group.created_at) {
      this.#groups.set(uuid, { ...group, message, created_at });
    }
  }

  #settle(messages) {
    for (const row of messages.rows) {
      if (row.handle === this.me.handle) this.outbox.settle(row.uuid);
    }
  }

  async #sent({ message_group_uuid, ...message }) {
    this.#reached();
    if (!this.#groups.has(message_group_uuid)) await this.#load(message_group_uuid);
    this.#messages.get(message_group_uuid)?.add(message);
    this.#mergeNewest(message_group_uuid, message);
    this.#changed();
  }

  async #sentElsewhere({ message_group_uuid }) {
    if (message_group_uuid) await this.refreshMessages(message_group_uuid);
    this.#changed();
  }

  /**
   * Do what needs the API, and note whether it was reached: undefined where it was not, null where
   * it refused.
   */
  async #try(action) {
    const outages = this.#outages;
    try {
      const result = await action();
      // What was asked for before the network went says nothing of now.
      if (outages === this.#outages) this.#reached();
      return result;
    } catch (error) {
      if (error instanceof SignedOutError) return undefined;
      if (error instanceof ApiError) {
        if (!error.isTemporary) return null;
        this.#lost();
        return undefined;
      }
      if (!(error instanceof UnreachableError)) throw error;
      this.#lost();
      return undefined;
    }
  }

  /** A machine without a network may still reach what runs on it. */
  #goOffline() {
    this.#outages += 1;
    this.#lost();
    this.refreshGroups();
  }

  #reached() {
    this.#setTrouble("");
  }

  #lost() {
    this.#setTrouble(navigator.onLine ? "unreachable" : "offline");
  }

  #setTrouble(trouble) {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.#changed();
    if (!trouble) this.outbox.flush();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
