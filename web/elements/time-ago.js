import { html } from "../vendor/lit-html/lit-html.js";
import { fullTime, timeAgo } from "../time.js";
import { View } from "./view.js";

const MINUTE = 60_000;

/** How long ago something was, and the full time for who asks. */
class TimeAgo extends View {
  #timer = 0;

  connectedCallback() {
    super.connectedCallback();
    this.#timer = setInterval(() => this.draw(), MINUTE / 2);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  template() {
    const { at } = this.props;
    return html`<time datetime=${at} title=${fullTime(at)}>${timeAgo(at)}</time>`;
  }
}

customElements.define("time-ago", TimeAgo);
