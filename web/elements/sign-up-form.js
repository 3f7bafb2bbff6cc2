import { html } from "../vendor/lit-html/lit-html.js";
import { bareHandle } from "../text.js";
import { FormView } from "./form-view.js";

/** A new account. */
class SignUpForm extends FormView {
  template() {
    const { email, go } = this.props;
    return html`
      <h1>Create an account</h1>
      ${this.form(
        html`
          ${this.field({ name: "display_name", label: "Name", autocomplete: "name", maxlength: 50 })}
          ${this.field({
            name: "handle",
            label: "Handle",
            autocomplete: "nickname",
            maxlength: 31,
            hint: "By which others find you: letters, digits and _ . -",
          })}
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
            autocomplete: "new-password",
            minlength: 12,
            hint: "At least 12 characters",
          })}
        `,
        "Create account",
        html`<p class="others">
          <button type="button" class="link" @click=${() => go("sign_in")}>Back to sign in</button>
        </p>`,
      )}
    `;
  }

  async submit({ display_name, handle, email, password }) {
    const { cognito, go } = this.props;
    const account = { display_name: display_name.trim(), handle: bareHandle(handle) };
    await cognito.signUp({ ...account, email: email.trim(), password });
    go("confirm", { email: email.trim(), password });
  }
}

customElements.define("sign-up-form", SignUpForm);
