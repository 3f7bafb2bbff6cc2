import { html } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";

/** What screen readers say by themselves: new messages of others, those of muted groups not. */
class MessageAnnouncer extends View {
  #text = "";
  #hear = ({ detail }) => {
    const group = this.store.messageGroup(detail.uuid);
    if (!group || group.muted) return;
    this.#text = `${group.display_name}: ${detail.message.message}`;
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
      <p>${this.#text}</p>
    </div>`;
  }
}

customElements.define("message-announcer", MessageAnnouncer);
