import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { AccountForm } from "./account-form.js";

/** A new password: with a code, or at the first sign-in of who was `invited`. */
class NewPasswordForm extends AccountForm {
  template() {
    const { invited } = this.props;
    const password = this.newPassword("New password");
    return html`
      <h1>Choose a new password</h1>
      ${invited ? nothing : this.whereTheCodeIs()}
      ${this.form(invited ? password : [this.code(), password], "Set password", [this.back()])}
    `;
  }

  async submit({ code, password }) {
    const { cognito, email, invited, signIn, signedIn } = this.props;
    if (invited) {
      await signedIn(await cognito.choosePassword(invited, password));
      return;
    }
    await cognito.confirmForgotPassword(email, code.trim(), password);
    await signIn(email, password);
  }
}

customElements.define("new-password-form", NewPasswordForm);
