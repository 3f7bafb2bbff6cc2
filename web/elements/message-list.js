import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { dayName } from "../time.js";
import { firstBehind, firstUnread, timeline } from "../timeline.js";
import { down } from "./icons.js";
import { View } from "./view.js";
import "./message-item.js";
import "./person-avatar.js";

// Within this of its end, the list follows what comes in.
const NEAR_THE_END = 100;
const NEAR_THE_BEGINNING = 600;

/**
 * The messages of a group, newest at the bottom.
 *
 * Whoever is at the end stays there; all others keep the line before their eyes where it is,
 * whatever is added above or below it.
 */
class MessageList extends View {
  #isFollowing = true;
  #arrived = 0;
  #firstNew;
  #leftAt;
  #isReady = false;
  #isPlaced = false;
  #isLoadingOlder = false;
  #listening = new AbortController();
  #resized = new ResizeObserver(() => this.#follow());

  connectedCallback() {
    super.connectedCallback();
    const { signal } = this.#listening;
    this.store.addEventListener("incoming", this.#count, { signal });
    document.addEventListener("visibilitychange", this.#look, { signal });
    this.#resized.observe(this.#scroller);
    this.#resized.observe(this.querySelector("ol"));
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#listening.abort();
    this.#resized.disconnect();
  }

  template() {
    const { store, group, messages, isNew } = this.props;
    this.#isReady = isNew ? Boolean(group) : messages?.status === "ready";
    const rows = (this.#isReady && messages?.rows) || [];
    const hasOlder = messages?.hasOlder ?? false;
    const items = timeline({
      rows,
      entries: group ? store.outgoing(group) : [],
      handle: store.me.handle,
      firstNew: this.#firstNew,
      isSeen: (row) => store.isSeen(group?.uuid, row),
    });
    return html`
      <div
        class="scroller"
        role="region"
        aria-label=${group ? `Messages with ${group.display_name}` : "Messages"}
        aria-busy=${String(!this.#isReady)}
        tabindex="0"
        @scroll=${this.#scrolled}
      >
        <div class="top">${this.#top(hasOlder)}</div>
        <ol>
          ${repeat(
            items,
            (item) => item.key,
            (item) => this.#item(item),
          )}
        </ol>
      </div>
      ${this.#isFollowing || !this.#isReady ? nothing : this.#jump()}
    `;
  }

  draw() {
    this.#takeDivider();
    const anchor = this.#anchor();
    super.draw();
    this.#place(anchor);
    this.#read();
    this.#loadOlder();
  }

  get #scroller() {
    return this.querySelector(".scroller");
  }

  #top(hasOlder) {
    const { group } = this.props;
    if (!this.#isReady || hasOlder)
      return html`<span class="spinner" role="img" aria-label="Loading"></span>`;
    const { handle, display_name } = group;
    return html`<div class="beginning">
      <person-avatar .props=${{ handle, display_name }}></person-avatar>
      <p class="name"><bdi>${display_name}</bdi></p>
      <p>This is the beginning of your messages with <bdi>${display_name}</bdi>.</p>
    </div>`;
  }

  #item(item) {
    if (item.kind === "day") return html`<li class="day"><h2>${dayName(item.at)}</h2></li>`;
    if (item.kind === "new") return html`<li class="new-divider"><span>New</span></li>`;
    const { row, isOwn, state, entry, isFirst, isLast } = item;
    const { store, group } = this.props;
    const sender = isOwn ? "You" : group.display_name;
    const { message, created_at } = row;
    const place = `${isFirst ? "first" : ""} ${isLast ? "last" : ""}`;
    return html`<li
      class="${isOwn ? "own" : "other"} ${place}"
      data-message-uuid=${row.uuid}
      data-created-at=${created_at}
      data-state=${state ?? "received"}
    >
      <message-item
        .props=${{ sender, message, created_at, state, entry, outbox: store.outbox }}
      ></message-item>
    </li>`;
  }

  #jump() {
    const many = this.#arrived === 1 ? "1 new message" : `${this.#arrived} new messages`;
    const label = this.#arrived ? many : "To the newest message";
    return html`<button
      type="button"
      class="jump ${this.#arrived ? "news" : ""}"
      aria-label=${label}
      @click=${this.showNewest}
    >
      ${this.#arrived ? `${this.#arrived} new` : nothing} ${down}
    </button>`;
  }

  /** Note where what is new begins: when it is first shown, or came while nobody looked. */
  #takeDivider() {
    const { group, messages } = this.props;
    if (messages?.status !== "ready" || this.#firstNew) return;
    if (!this.#isPlaced) {
      if (group.unread) this.#firstNew = firstUnread(messages, group);
    } else if (this.#leftAt) {
      const theirs = messages.rows.filter((row) => row.handle === group.handle);
      this.#firstNew = firstBehind(theirs, this.#leftAt);
    }
  }

  /** The first message on the screen, which is to stay where it is; the name of its day may move. */
  #anchor() {
    const scroller = this.#scroller;
    if (!scroller || this.#isFollowing) return null;
    const { top } = scroller.getBoundingClientRect();
    const line = this.#lines[this.#countAbove(top)];
    return line && { line, top: line.getBoundingClientRect().top };
  }

  get #lines() {
    return this.querySelectorAll("li[data-message-uuid]");
  }

  /** How many messages end at or above a height of the window: found by halves, of thousands. */
  #countAbove(height) {
    const lines = this.#lines;
    let [low, high] = [0, lines.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lines[middle].getBoundingClientRect().bottom <= height) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #place(anchor) {
    const scroller = this.#scroller;
    if (!this.#isPlaced && this.#isReady) {
      this.#isPlaced = true;
      const divider = scroller.querySelector(".new-divider");
      scroller.scrollTop = scroller.scrollHeight;
      // As much that is unread as fits, from its beginning.
      const above = divider
        ? scroller.getBoundingClientRect().top - divider.getBoundingClientRect().top
        : 0;
      if (above > 0) scroller.scrollTop -= above + 24;
      this.#isFollowing = this.#fromTheEnd < NEAR_THE_END;
    } else if (this.#isFollowing) {
      this.#follow();
    } else if (anchor?.line.isConnected) {
      scroller.scrollTop += anchor.line.getBoundingClientRect().top - anchor.top;
    }
  }

  get #fromTheEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #follow() {
    if (this.#isFollowing) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Go to the end: someone asked for it, or has written. */
  showNewest() {
    this.#isFollowing = true;
    this.#arrived = 0;
    this.#firstNew = this.#leftAt = undefined;
    this.draw();
  }

  #scrolled() {
    const wasFollowing = this.#isFollowing;
    this.#isFollowing = this.#fromTheEnd < NEAR_THE_END;
    if (this.#isFollowing) this.#arrived = 0;
    if (this.#isFollowing !== wasFollowing) this.update();
    this.#read();
    this.#loadOlder();
  }

  async #loadOlder() {
    const { store, group, messages } = this.props;
    if (!this.#isPlaced || this.#isLoadingOlder || !messages?.hasOlder || store.trouble) return;
    if (this.#scroller.scrollTop > NEAR_THE_BEGINNING) return;
    this.#isLoadingOlder = true;
    await store.loadOlder(group.uuid);
    this.#isLoadingOlder = false;
  }

  #count = ({ detail }) => {
    if (detail.uuid !== this.props.group?.uuid || this.#isFollowing) return;
    this.#arrived += 1;
    this.update();
  };

  #look = () => {
    // What comes while nobody looks is new for who comes back.
    if (document.hidden) this.#firstNew = undefined;
    this.#leftAt = document.hidden ? this.props.messages?.newest : undefined;
    this.#read();
  };

  /** Mark as read what is on the screen, and nothing else. */
  #read() {
    const { store, group, messages } = this.props;
    if (document.hidden || !group?.uuid || messages?.status !== "ready") return;
    if (store.open !== group.uuid) return;
    const end = this.#scroller.getBoundingClientRect().bottom + 1;
    const lines = [...this.#lines].slice(0, this.#countAbove(end));
    const line = lines.findLast((one) => one.dataset.state === "received");
    if (!line) return;
    store.read(group.uuid, { uuid: line.dataset.messageUuid, created_at: line.dataset.createdAt });
  }
}

customElements.define("message-list", MessageList);
