import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { mark } from "./icons.js";
import { View } from "./view.js";
import "./find-person.js";
import "./message-announcer.js";
import "./message-group.js";
import "./message-groups.js";
import "./new-message-group.js";

const TROUBLE = {
  offline: "You are offline. What you write is sent later.",
  unreachable: "The service cannot be reached. Trying again…",
};

/** The list and what is open in it: side by side, or one at a time where there is no room. */
class MessagesPage extends View {
  #path = "";
  #icon = document.querySelector('link[rel="icon"]');

  template() {
    const { store, route } = this.props;
    store.open = route.page === "message_group" ? route.uuid : "";
    const count = store.unreadCount;
    const title = this.#title();
    document.title = count ? `(${count}) ${title}` : title;
    this.#tellUnread(count);
    return html`
      <a class="skip" href="#main" @click=${this.#skip}>Skip to the messages</a>
      <p class="trouble" role="status">${TROUBLE[store.trouble] ?? nothing}</p>
      <div class="columns" data-page=${route.page}>
        <nav class="side" aria-label="Message groups">
          <message-groups .props=${{ store, open: store.open }}></message-groups>
        </nav>
        <main class="main" id="main" tabindex="-1">${this.#main(store, route)}</main>
      </div>
      <message-announcer .props=${{ store }}></message-announcer>
    `;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#tellUnread(0);
  }

  draw() {
    const { path, store } = this.props;
    const left = store.open;
    super.draw();
    if (path === this.#path) return;
    if (this.#path) this.#keepFocus(left);
    this.#path = path;
  }

  /** Where one page is shown at a time, what had the focus may be gone. */
  #keepFocus(left) {
    if (document.activeElement?.checkVisibility() && document.activeElement !== document.body)
      return;
    const link = this.querySelector(`a.row[href="/messages/${left}"]`);
    const place = link?.checkVisibility() ? link : this.querySelector("main");
    place.focus({ preventScroll: true });
  }

  #main(store, route) {
    switch (route.page) {
      case "message_group":
        // An element of its own for each, with its own place and draft.
        return repeat(
          [route.uuid],
          (uuid) => uuid,
          (uuid) => html`<message-group .props=${{ store, uuid }}></message-group>`,
        );
      case "new":
        return repeat(
          [route.handle],
          (handle) => handle,
          (handle) => html`<new-message-group .props=${{ store, handle }}></new-message-group>`,
        );
      case "find":
        return html`<find-person .props=${{ store }}></find-person>`;
      case "unknown":
        return html`<div class="empty">
          <h1>There is nothing at this address.</h1>
          <p><a class="button" href="/messages">To your messages</a></p>
        </div>`;
      default:
        return html`<div class="empty">
          ${mark}
          <p>
            ${
              store.messageGroups.length
                ? "Choose whom to read, or write to someone new."
                : "Your messages are shown here."
            }
          </p>
        </div>`;
    }
  }

  #tellUnread(count) {
    const icon = count ? "/icon-unread.svg" : "/icon.svg";
    if (this.#icon.getAttribute("href") !== icon) this.#icon.setAttribute("href", icon);
    navigator.setAppBadge?.(count).catch(() => {});
  }

  #title() {
    const { store, route } = this.props;
    if (route.page === "find" || route.page === "new") return "New message";
    const name = store.messageGroup(store.open)?.display_name;
    return name ? `${name} · Messages` : "Messages";
  }

  #skip(event) {
    event.preventDefault();
    (this.querySelector("main textarea, main input") ?? this.querySelector("main")).focus();
  }
}

customElements.define("messages-page", MessagesPage);
