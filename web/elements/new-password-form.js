import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { FormView } from "./form-view.js";

/** A new password: with a code, or at the first sign-in of who was `invited`. */
class NewPasswordForm extends FormView {
  template() {
    const { email, isLocal, invited, go } = this.props;
    const where = isLocal
      ? html`The code for <b>${email}</b> is printed in the terminal where <code>make run</code> runs.`
      : html`If there is an account with <b>${email}</b>, a code was sent there.`;
    return html`
      <h1>Choose a new password</h1>
      ${invited ? nothing : html`<p class="lead">${where}</p>`}
      ${this.form(
        html`
          ${invited
            ? nothing
            : this.field({
                name: "code",
                label: "Code",
                autocomplete: "one-time-code",
                inputmode: "numeric",
              })}
          ${this.field({
            name: "password",
            label: "New password",
            type: "password",
            autocomplete: "new-password",
            minlength: 12,
            hint: "At least 12 characters",
          })}
        `,
        "Set password",
        html`<p class="others">
          <button type="button" class="link" @click=${() => go("sign_in")}>Back to sign in</button>
        </p>`,
      )}
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
