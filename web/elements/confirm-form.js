import { html } from "../vendor/lit-html/lit-html.js";
import { AccountForm } from "./account-form.js";

/** The code that proves an e-mail address. */
class ConfirmForm extends AccountForm {
  #note = "";

  template() {
    const others = [this.other("Send a new code", () => this.#resend()), this.back()];
    return html`
      <h1>Confirm your address</h1>
      ${this.whereTheCodeIs()} ${this.form(this.code(), "Confirm", others)}
      <p class="note" role="status">${this.#note}</p>
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
