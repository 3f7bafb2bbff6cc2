import { html } from "../vendor/lit-html/lit-html.js";
import { FormView } from "./form-view.js";

/** A form of who is not signed in: the fields that several of them have, and the way back. */
export class AccountForm extends FormView {
  email() {
    return this.field({
      name: "email",
      label: "E-mail address",
      type: "email",
      autocomplete: "username",
      value: this.props.email,
    });
  }

  code() {
    return this.field({
      name: "code",
      label: "Code",
      autocomplete: "one-time-code",
      inputmode: "numeric",
    });
  }

  newPassword(label) {
    return this.field({
      name: "password",
      label,
      type: "password",
      autocomplete: "new-password",
      minlength: 12,
      hint: "At least 12 characters",
    });
  }

  /** A button among the others, which leads to another form or does something by the way. */
  other(text, action) {
    return html`<button type="button" class="link" @click=${action}>${text}</button>`;
  }

  back() {
    return this.other("Back to sign in", () => this.props.go("sign_in"));
  }

  /** Where the code is to be found. */
  whereTheCodeIs() {
    const { email, isLocal } = this.props;
    return html`<p class="lead">
      ${
        isLocal
          ? html`No mail is sent on this machine: the code for <b>${email}</b> is printed in the
              terminal where <code>make run</code> runs.`
          : html`If this is your address, a code was sent to <b>${email}</b>.`
      }
    </p>`;
  }
}
