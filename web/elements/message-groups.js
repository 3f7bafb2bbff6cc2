import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { plus } from "./icons.js";
import { View } from "./view.js";
import "./account-menu.js";
import "./message-group-row.js";

const SKELETONS = [1, 2, 3, 4, 5, 6];
const NEAR_THE_END = 300;

/** The list of message groups, newest first. */
class MessageGroups extends View {
  template() {
    const { store } = this.props;
    return html`
      <header class="bar">
        <account-menu .props=${{ store }}></account-menu>
        <h1>Messages</h1>
        <a class="icon-button accented" href="/messages/new" aria-label="New message">${plus}</a>
      </header>
      <div class="groups" aria-busy=${String(store.status === "loading")} @scroll=${this.#loadMore}>
        ${this.#content()}
      </div>
    `;
  }

  #content() {
    const { store, open } = this.props;
    const groups = store.messageGroups;
    if (groups.length) {
      return html`<ul>
        ${repeat(
          groups,
          (group) => group.uuid,
          (group) =>
            html`<li>
              <message-group-row
                .props=${{ actions: store, group, isOpen: group.uuid === open }}
              ></message-group-row>
            </li>`,
        )}
        ${store.hasMoreGroups ? html`<li class="skeleton" aria-hidden="true"></li>` : nothing}
      </ul>`;
    }
    switch (store.status) {
      case "loading":
        return html`<div aria-hidden="true">
          ${SKELETONS.map(() => html`<div class="skeleton"></div>`)}
        </div>`;
      case "failed":
        return html`<div class="empty">
          <p role="alert">Your messages cannot be loaded.</p>
          <button type="button" @click=${() => store.refreshGroups()}>Try again</button>
        </div>`;
      default:
        return html`<div class="empty">
          <p>No messages yet</p>
          <p><a class="button" href="/messages/new">Write to someone</a></p>
        </div>`;
    }
  }

  draw() {
    const focused = this.contains(document.activeElement) && document.activeElement;
    super.draw();
    // What is moved up in the list loses the focus by that.
    if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true });
    this.#loadMore();
  }

  #loadMore() {
    const { scrollHeight, scrollTop, clientHeight } = this.querySelector(".groups");
    // On a phone it is not there while something else is shown.
    if (!clientHeight) return;
    if (scrollHeight - scrollTop - clientHeight < NEAR_THE_END) this.store.loadMoreGroups();
  }
}

customElements.define("message-groups", MessageGroups);
