import { html } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";
import "./options-menu.js";
import "./person-avatar.js";

/** Who is signed in, what they have set, and the way out. */
class AccountMenu extends View {
  template() {
    const { store } = this.props;
    const { me } = store;
    const content = html`<p class="who"><b>${me.display_name}</b><span>@${me.handle}</span></p>
      <label class="switch">
        <input
          type="checkbox"
          .checked=${me.read_receipts}
          @change=${(event) => this.#setReadReceipts(event)}
        />
        <span>Read receipts</span>
      </label>`;
    const face = html`<person-avatar .props=${me}></person-avatar>`;
    const items = [{ text: "Sign out", run: () => this.#signOut() }];
    return html`
      <options-menu .props=${{ label: "Account", content, face, items }}></options-menu>
      <dialog aria-labelledby="sign-out-title">
        <form method="dialog" @submit=${this.#answer}>
          <h2 id="sign-out-title">Sign out?</h2>
          <p>Some messages have not been sent. They are discarded when you sign out.</p>
          <button value="stay" class="primary">Stay</button>
          <button value="sign_out" class="danger">Sign out and discard</button>
        </form>
      </dialog>
    `;
  }

  async #setReadReceipts({ target }) {
    await this.store.setReadReceipts(target.checked);
    target.checked = this.store.me.read_receipts;
  }

  #signOut() {
    if (this.store.outbox.entries.length) this.querySelector("dialog").showModal();
    else this.store.signOut();
  }

  #answer(event) {
    event.preventDefault();
    this.querySelector("dialog").close();
    if (event.submitter.value === "sign_out") this.store.signOut();
  }
}

customElements.define("account-menu", AccountMenu);
