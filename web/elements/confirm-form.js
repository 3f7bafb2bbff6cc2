import { html } from "../vendor/lit-html/lit-html.js";
import { FormView } from "./form-view.js";

/** The code that proves an e-mail address. */
class ConfirmForm extends FormView {
  #note = "";

  template() {
    const { email, isLocal, go } = this.props;
    return html`
      <h1>Confirm your address</h1>
      <p class="lead">
        ${isLocal
          ? html`No mail is sent on this machine: the code for <b>${email}</b> is printed in the
              terminal where <code>make run</code> runs.`
          : html`A code was sent to <b>${email}</b>.`}
      </p>
      ${this.form(
        this.field({
          name: "code",
          label: "Code",
          autocomplete: "one-time-code",
          inputmode: "numeric",
        }),
        "Confirm",
        html`<p class="others">
            <button type="button" class="link" @click=${this.#resend}>Send a new code</button>
            <button type="button" class="link" @click=${() => go("sign_in")}>Back to sign in</button>
          </p>
          <p class="note" role="status">${this.#note}</p>`,
      )}
    `;
  }

  async submit({ code }) {
    const { cognito, email, password, signIn } = this.props;
    await cognito.confirmSignUp(email, code.trim());
    await signIn(email, password);
  }

  #resend() {
    this.attempt(async () => {
      await this.props.cognito.resendCode(this.props.email);
      this.#note = "A new code is on its way.";
    });
  }
}

customElements.define("confirm-form", ConfirmForm);
