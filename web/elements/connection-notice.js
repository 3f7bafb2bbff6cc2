import { html } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";

const WORDS = {
  offline: "You are offline. What you write is sent when you are back.",
  unreachable: "The service cannot be reached. Trying again…",
};

/** Says that there is no network, or that the API does not answer. */
class ConnectionNotice extends View {
  template() {
    const { trouble } = this.store;
    return html`<p class="connection" role="status" ?hidden=${!trouble}>${WORDS[trouble]}</p>`;
  }
}

customElements.define("connection-notice", ConnectionNotice);
