import { html } from "../vendor/lit-html/lit-html.js";
import { ApiError, reason } from "../errors.js";
import { navigate } from "../router.js";
import { bareHandle } from "../text.js";
import { FormView } from "./form-view.js";
import { back } from "./icons.js";

/** Find the person to write to, by handle. */
class FindPerson extends FormView {
  template() {
    return html`
      <header class="bar">
        <a class="icon-button back" href="/messages" aria-label="Back to messages">${back}</a>
        <div class="names"><h1>New message</h1></div>
      </header>
      <div class="find">
        ${this.form(
          this.field({
            name: "handle",
            label: "Handle",
            maxlength: 31,
            hint: "The name behind the @ of the person you want to write to",
          }),
          "Find",
        )}
      </div>
    `;
  }

  async submit({ handle: written }) {
    const { store } = this.props;
    const handle = bareHandle(written);
    if (handle.toLowerCase() === store.me.handle.toLowerCase()) {
      throw new Error("That is you: nobody can write to themselves here.");
    }
    const known = store.messageGroupWith(handle);
    if (known) {
      navigate(`/messages/${known.uuid}`);
      return;
    }
    try {
      const user = await store.api.user(handle);
      navigate(`/messages/new/${encodeURIComponent(user.handle)}`);
    } catch (error) {
      const isNobody = error instanceof ApiError && error.status === 404;
      throw new Error(isNobody ? `There is no one called @${handle}.` : reason(error), {
        cause: error,
      });
    }
  }
}

customElements.define("find-person", FindPerson);
