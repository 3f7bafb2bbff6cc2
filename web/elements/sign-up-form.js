import { html } from "../vendor/lit-html/lit-html.js";
import { bareHandle } from "../text.js";
import { AccountForm } from "./account-form.js";

/** A new account. */
class SignUpForm extends AccountForm {
  template() {
    const name = this.field({
      name: "display_name",
      label: "Name",
      autocomplete: "name",
      maxlength: 50,
    });
    const handle = this.field({
      name: "handle",
      label: "Handle",
      autocomplete: "nickname",
      maxlength: 31,
      hint: "By which others find you: letters, digits and _ . -",
    });
    const fields = [name, handle, this.email(), this.newPassword("Password")];
    return html`
      <h1>Create an account</h1>
      ${this.form(fields, "Create account", [this.back()])}
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
