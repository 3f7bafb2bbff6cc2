import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { back } from "./icons.js";
import { optionsOf } from "./message-group-row.js";
import { View } from "./view.js";
import "./message-composer.js";
import "./message-list.js";
import "./options-menu.js";
import "./person-avatar.js";

/** The head of a message group, or of one that is to be. */
export function groupHeader({ handle, display_name }, options = nothing) {
  return html`<header class="bar">
    <a class="icon-button back" href="/messages" aria-label="Back to messages">${back}</a>
    ${
      handle
        ? html`<person-avatar .props=${{ handle, display_name }}></person-avatar>
            <div class="names">
              <h1><bdi>${display_name}</bdi></h1>
              <p>@${handle}</p>
            </div>`
        : html`<div class="names skeleton-names" aria-hidden="true"></div>`
    }
    ${options}
  </header>`;
}

/** One message group: whom it is with, its messages, and the place to write. */
class MessageGroup extends View {
  connectedCallback() {
    this.store.show(this.props.uuid);
    super.connectedCallback();
  }

  template() {
    const { store, uuid } = this.props;
    const messages = store.messages(uuid);
    const group = store.messageGroup(uuid);
    if (messages?.status === "not_found") {
      return html`<div class="empty">
        <h1>This message group is not there, or not yours.</h1>
        <p><a class="button" href="/messages">To your messages</a></p>
      </div>`;
    }
    const options = group && {
      label: `Options for ${group.display_name}`,
      items: optionsOf(store, group),
    };
    return html`
      ${groupHeader(
        group ?? {},
        options ? html`<options-menu .props=${options}></options-menu>` : nothing,
      )}
      ${
        messages?.status === "failed"
          ? this.#failed()
          : html`<message-list
              .props=${{ store, group, messages }}
              @edit=${({ detail }) => this.querySelector("message-composer").edit(detail)}
            ></message-list>`
      }
      ${
        group
          ? html`<message-composer
              .props=${{ store, to: group }}
              @sent=${() => this.querySelector("message-list")?.showNewest()}
            ></message-composer>`
          : html`<div class="composer-place"></div>`
      }
    `;
  }

  #failed() {
    return html`<div class="empty">
      <p role="alert">These messages cannot be loaded.</p>
      <button type="button" @click=${() => this.store.show(this.props.uuid)}>Try again</button>
    </div>`;
  }
}

customElements.define("message-group", MessageGroup);
