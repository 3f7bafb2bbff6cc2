import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { MAX_MESSAGE_CHARS, countChars, problem } from "../text.js";
import { send } from "./icons.js";
import { View } from "./view.js";

const NEAR_THE_LIMIT = 100;
// A keyboard that covers half of a phone's screen is not to open by itself.
const HAS_ROOM = matchMedia("(min-width: 48rem) and (hover: hover)");

/** The place to write: Enter sends, Shift and Enter begin a new line. */
class MessageComposer extends View {
  #text = "";

  connectedCallback() {
    this.#text = this.store.drafts.get(this.#key);
    super.connectedCallback();
    this.#field.value = this.#text;
    if (HAS_ROOM.matches) this.#field.focus({ preventScroll: true });
  }

  template() {
    const { to } = this.props;
    const left = MAX_MESSAGE_CHARS - countChars(this.#message);
    const wrong = problem(this.#message);
    return html`<form class="composer" @submit=${this.#submit}>
      <div class="field-and-count" data-text=${this.#text}>
        <textarea
          rows="1"
          aria-label="Message to ${to.display_name}"
          aria-describedby="count"
          aria-invalid=${wrong && wrong !== "blank" ? "true" : nothing}
          placeholder="Message"
          enterkeyhint="send"
          dir="auto"
          @input=${this.#input}
          @keydown=${this.#keydown}
        ></textarea>
        <span class="count" id="count">${note(wrong, left)}</span>
      </div>
      <button class="send" aria-label="Send" ?disabled=${Boolean(wrong)}>${send}</button>
    </form>`;
  }

  /** Put a text back that was refused. */
  edit(text) {
    this.#set(text);
    this.#field.focus();
  }

  get #field() {
    return this.querySelector("textarea");
  }

  get #key() {
    const { uuid, handle } = this.props.to;
    return uuid ?? `@${handle}`;
  }

  /** What is sent: without the spaces and empty lines around it. */
  get #message() {
    return this.#text.trim();
  }

  #input({ target }) {
    this.#text = target.value;
    this.store.drafts.set(this.#key, this.#text);
    this.draw();
  }

  #keydown(event) {
    // Enter also chooses among what an input method offers; Safari says so by 229 only.
    const isChoosing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isChoosing) return;
    event.preventDefault();
    this.#send();
  }

  #submit(event) {
    event.preventDefault();
    this.#send();
    this.#field.focus();
  }

  #send() {
    if (problem(this.#message)) return;
    this.store.send(this.props.to, this.#message);
    this.#set("");
    this.dispatchEvent(new Event("sent"));
  }

  #set(text) {
    this.#text = this.#field.value = text;
    this.store.drafts.set(this.#key, text);
    this.draw();
  }
}

function note(wrong, left) {
  if (wrong === "too_long") return `${-left} too many`;
  if (wrong === "invalid") return "Some characters cannot be sent";
  return left <= NEAR_THE_LIMIT ? `${left} left` : nothing;
}

customElements.define("message-composer", MessageComposer);
