import { html } from "../vendor/lit-html/lit-html.js";
import { CognitoError } from "../cognito.js";
import { AccountForm } from "./account-form.js";

/** E-mail address and password. */
class SignInForm extends AccountForm {
  template() {
    const { go } = this.props;
    const password = this.field({
      name: "password",
      label: "Password",
      type: "password",
      autocomplete: "current-password",
    });
    return html`
      <h1>Sign in</h1>
      ${this.form([this.email(), password], "Sign in", [
        this.other("Create an account", () => go("sign_up")),
        this.other("Forgotten password?", () => go("forgotten", { email: this.#typed })),
      ])}
    `;
  }

  get #typed() {
    return this.querySelector("[name=email]").value.trim();
  }

  async submit({ email, password }) {
    const { signIn, go } = this.props;
    try {
      await signIn(email.trim(), password);
    } catch (error) {
      if (!(error instanceof CognitoError && error.code === "UserNotConfirmedException"))
        throw error;
      go("confirm", { email: email.trim(), password });
    }
  }
}

customElements.define("sign-in-form", SignInForm);
