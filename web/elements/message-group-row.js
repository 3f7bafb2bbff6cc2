import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { navigate } from "../router.js";
import { bellOff } from "./icons.js";
import { View } from "./view.js";
import "./options-menu.js";
import "./person-avatar.js";
import "./time-ago.js";

const MOST = 100;

/** What can be done with a message group as a whole. */
export function optionsOf(store, group) {
  return [
    {
      text: "Mark as unread",
      run: () => {
        // Who looks at it reads it.
        if (store.open === group.uuid) navigate("/messages");
        store.markUnread(group.uuid);
      },
    },
    {
      text: group.muted ? "Unmute" : "Mute",
      run: () => store.mute(group.uuid, !group.muted),
    },
  ];
}

/** One message group in the list. */
class MessageGroupRow extends View {
  template() {
    // Not by the name at which an element hears of all changes: there may be a thousand rows.
    const { actions, group, isOpen } = this.props;
    const items = optionsOf(actions, group);
    const options = { label: `Options for ${group.display_name}`, items };
    return html`
      <a
        class="row ${group.unread ? "unread" : ""}"
        href="/messages/${group.uuid}"
        aria-current=${isOpen ? "page" : nothing}
      >
        <person-avatar
          .props=${{ handle: group.handle, display_name: group.display_name }}
        ></person-avatar>
        <span class="line">
          <bdi class="name">${group.display_name}</bdi>
          <time-ago .props=${{ at: group.created_at }}></time-ago>
        </span>
        <span class="line">
          <span class="preview" dir="auto">${group.message}</span>
          ${group.muted ? html`<span role="img" aria-label="Muted">${bellOff}</span>` : nothing}
          ${group.unread ? badge(group) : nothing}
        </span>
      </a>
      <options-menu .props=${options}></options-menu>
    `;
  }
}

/** The number of unread messages; a dot for a group that is only marked. */
function badge({ unread_count: count, muted }) {
  const kind = muted ? "badge quiet" : "badge";
  if (!count)
    return html`<span class="${kind} dot"><span class="visually-hidden">Unread</span></span>`;
  const text = count >= MOST ? "99+" : count;
  return html`<span class=${kind}>${text}<span class="visually-hidden"> unread</span></span>`;
}

customElements.define("message-group-row", MessageGroupRow);
