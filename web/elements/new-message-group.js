import { html } from "../vendor/lit-html/lit-html.js";
import { ApiError } from "../errors.js";
import { navigate } from "../router.js";
import { bareHandle } from "../text.js";
import { groupHeader } from "./message-group.js";
import { View } from "./view.js";
import "./message-composer.js";
import "./message-list.js";

/** The first message to a person, named by handle. */
class NewMessageGroup extends View {
  #person = null;
  /** @type {"" | "nobody" | "oneself" | "failed"} */
  #problem = "";
  #look = () => {
    const group = this.#person && this.store.messageGroupWith(this.#person.handle);
    if (group) this.#open(group);
  };

  connectedCallback() {
    super.connectedCallback();
    this.store.addEventListener("change", this.#look);
    this.#find();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.store.removeEventListener("change", this.#look);
  }

  template() {
    const { store } = this.props;
    if (this.#problem) return this.#explanation();
    const person = this.#person;
    return html`
      ${groupHeader(person ?? {})}
      <message-list
        .props=${{ store, group: person ?? undefined, isNew: true }}
        @edit=${({ detail }) => this.querySelector("message-composer").edit(detail)}
      ></message-list>
      ${
        person
          ? html`<message-composer .props=${{ store, to: person }}></message-composer>`
          : html`<div class="composer-place"></div>`
      }
    `;
  }

  #explanation() {
    const handle = bareHandle(this.props.handle);
    const words = {
      nobody: `There is no one called @${handle}.`,
      oneself: "That is you: nobody can write to themselves here.",
      failed: "The service cannot be reached.",
    };
    return html`<div class="empty">
      <h1><span role="alert">${words[this.#problem]}</span></h1>
      <p>
        ${
          this.#problem === "failed"
            ? html`<button type="button" @click=${this.#find}>Try again</button>`
            : html`<a class="button" href="/messages/new">Write to someone else</a>`
        }
      </p>
    </div>`;
  }

  async #find() {
    const { store } = this.props;
    const handle = bareHandle(this.props.handle);
    this.#problem = handle.toLowerCase() === store.me.handle.toLowerCase() ? "oneself" : "";
    this.update();
    if (this.#problem) return;
    const known = store.messageGroupWith(handle);
    if (known) {
      this.#open(known);
      return;
    }
    try {
      const { handle: exact, display_name } = await store.api.user(handle);
      this.#person = { handle: exact, display_name };
      // The list may have come before.
      this.#look();
    } catch (error) {
      this.#problem = error instanceof ApiError && error.status === 404 ? "nobody" : "failed";
    }
    this.update();
  }

  #open({ uuid, handle }) {
    if (!this.isConnected) return;
    // What was written meanwhile goes along.
    this.store.drafts.move(`@${handle}`, uuid);
    navigate(`/messages/${uuid}`, { replace: true });
  }
}

customElements.define("new-message-group", NewMessageGroup);
