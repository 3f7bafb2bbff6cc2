import { html } from "../vendor/lit-html/lit-html.js";
import { CognitoError } from "../cognito.js";
import { FormView } from "./form-view.js";

/** E-mail address and password. */
class SignInForm extends FormView {
  template() {
    const { email, go } = this.props;
    return html`
      <h1>Sign in</h1>
      ${this.form(
        html`
          ${this.field({
            name: "email",
            label: "E-mail address",
            type: "email",
            autocomplete: "username",
            value: email,
          })}
          ${this.field({
            name: "password",
            label: "Password",
            type: "password",
            autocomplete: "current-password",
          })}
        `,
        "Sign in",
        html`<p class="others">
          <button type="button" class="link" @click=${() => go("sign_up")}>Create an account</button>
          <button type="button" class="link" @click=${() => go("forgotten", { email: this.#typed })}>
            Forgotten password?
          </button>
        </p>`,
      )}
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
      if (!(error instanceof CognitoError && error.code === "UserNotConfirmedException")) throw error;
      go("confirm", { email: email.trim(), password });
    }
  }
}

customElements.define("sign-in-form", SignInForm);
