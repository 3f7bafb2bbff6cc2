import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { refusal } from "../errors.js";
import { isEmoji, parts } from "../text.js";
import { fullTime, timeOfDay } from "../time.js";
import { clock, seen, sent, warning } from "./icons.js";
import { View } from "./view.js";

const STATES = {
  pending: ["Sending", clock],
  sent: ["Sent", sent],
  seen: ["Seen", seen],
  unconfirmed: ["Not confirmed", warning],
  refused: ["Refused", warning],
  expired: ["Not confirmed", warning],
};

/**
 * One message: `state` is null for those of others; `entry` is that of the outbox for one that the
 * API has not confirmed.
 */
class MessageItem extends View {
  template() {
    const { sender, message, created_at, state, entry } = this.props;
    return html`<span class="visually-hidden">${sender}:</span>
      <div class="bubble ${isEmoji(message) ? "emoji" : ""}" dir="auto">
        <span class="message-text">${parts(message).map(part)}</span
        ><span class="meta"
          ><time dir="auto" datetime=${created_at} title=${fullTime(created_at)}
            >${timeOfDay(created_at)}</time
          >${state ? icon(state) : nothing}</span
        >
      </div>
      ${entry ? this.#trouble(entry) : nothing}`;
  }

  #trouble(entry) {
    const { outbox } = this.props;
    switch (entry.state) {
      case "unconfirmed":
        return html`<p class="trouble">
          Delivery not confirmed
          <button type="button" class="link" @click=${() => outbox.retry(entry)}>Try again</button>
        </p>`;
      case "refused":
        return html`<p class="trouble">
          Refused: ${refusal(entry.codes)}
          <button type="button" class="link" @click=${() => this.#edit(entry)}>Edit</button>
          <button type="button" class="link" @click=${() => outbox.discard(entry)}>Discard</button>
        </p>`;
      case "expired":
        return html`<p class="trouble">
          Not known whether this was delivered
          <button type="button" class="link" @click=${() => outbox.sendAsNew(entry)}>
            Send as new
          </button>
          <button type="button" class="link" @click=${() => outbox.discard(entry)}>Discard</button>
        </p>`;
      default:
        return nothing;
    }
  }

  #edit(entry) {
    this.props.outbox.discard(entry);
    this.dispatchEvent(new CustomEvent("edit", { bubbles: true, detail: entry.message }));
  }
}

function part(piece) {
  if (typeof piece === "string") return piece;
  return html`<a href=${piece.href} target="_blank" rel="noopener noreferrer nofollow"
    >${piece.text}</a
  >`;
}

function icon(state) {
  const [label, drawing] = STATES[state];
  return html`<span class="state" role="img" aria-label=${label} title=${label}>${drawing}</span>`;
}

customElements.define("message-item", MessageItem);
