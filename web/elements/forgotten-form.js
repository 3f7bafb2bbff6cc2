import { html } from "../vendor/lit-html/lit-html.js";
import { AccountForm } from "./account-form.js";

/** The first half of a new password: where to send the code. */
class ForgottenForm extends AccountForm {
  template() {
    return html`
      <h1>Forgotten password</h1>
      <p class="lead">You get a code by e-mail, and choose a new password with it.</p>
      ${this.form(this.email(), "Send a code", [this.back()])}
    `;
  }

  async submit({ email }) {
    await this.props.cognito.forgotPassword(email.trim());
    this.props.go("new_password", { email: email.trim() });
  }
}

customElements.define("forgotten-form", ForgottenForm);
