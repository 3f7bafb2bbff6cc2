import { html } from "../vendor/lit-html/lit-html.js";
import { FormView } from "./form-view.js";

/** The first half of a new password: where to send the code. */
class ForgottenForm extends FormView {
  template() {
    const { email, go } = this.props;
    return html`
      <h1>Forgotten password</h1>
      <p class="lead">You get a code by e-mail, and choose a new password with it.</p>
      ${this.form(
        this.field({
          name: "email",
          label: "E-mail address",
          type: "email",
          autocomplete: "username",
          value: email,
        }),
        "Send a code",
        html`<p class="others">
          <button type="button" class="link" @click=${() => go("sign_in")}>Back to sign in</button>
        </p>`,
      )}
    `;
  }

  async submit({ email }) {
    await this.props.cognito.forgotPassword(email.trim());
    this.props.go("new_password", { email: email.trim() });
  }
}

customElements.define("forgotten-form", ForgottenForm);
