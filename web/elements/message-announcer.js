import { html } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { View } from "./view.js";

// Several may come at once.
const MOST = 10;

/** What screen readers say by themselves: new messages of others, those of muted groups not. */
class MessageAnnouncer extends View {
  #count = 0;
  #said = [];
  #hear = ({ detail }) => {
    const group = this.store.messageGroup(detail.uuid);
    if (!group || group.muted) return;
    this.#count += 1;
    const text = `${group.display_name}: ${detail.message.message}`;
    this.#said = [...this.#said.slice(1 - MOST), { key: this.#count, text }];
    this.update();
  };

  connectedCallback() {
    super.connectedCallback();
    this.store.addEventListener("incoming", this.#hear);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.store.removeEventListener("incoming", this.#hear);
  }

  template() {
    return html`<div class="announcements visually-hidden" role="log" aria-label="New messages">
      ${repeat(
        this.#said,
        ({ key }) => key,
        ({ text }) => html`<p>${text}</p>`,
      )}
    </div>`;
  }
}

customElements.define("message-announcer", MessageAnnouncer);
