import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { CognitoError } from "../cognito.js";
import { bareHandle } from "../text.js";
import { FormView } from "./form-view.js";

const CODE = {
  name: "code",
  label: "Code",
  autocomplete: "one-time-code",
  inputmode: "numeric",
};
const NEW_PASSWORD = {
  name: "password",
  label: "Password",
  type: "password",
  autocomplete: "new-password",
  minlength: 12,
  hint: "At least 12 characters",
};
const BACK = { text: "Back to sign in", run: ({ go }) => go("sign_in") };

/**
 * What each step asks for, and what it does with that. Functions are given the props of the form,
 * `submit` also what was typed.
 */
const STEPS = {
  sign_in: {
    title: "Sign in",
    action: "Sign in",
    fields: ({ email }) => [
      emailField(email),
      { ...NEW_PASSWORD, autocomplete: "current-password", minlength: undefined, hint: "" },
    ],
    others: [
      { text: "Create an account", run: ({ go }) => go("sign_up") },
      { text: "Forgotten password?", run: ({ go }, { email }) => go("forgotten", { email }) },
    ],
    async submit({ signIn, go }, { email, password }) {
      try {
        await signIn(email, password);
      } catch (error) {
        const isNew = error instanceof CognitoError && error.code === "UserNotConfirmedException";
        if (!isNew) throw error;
        go("confirm", { email, password });
      }
    },
  },

  sign_up: {
    title: "Create an account",
    action: "Create account",
    fields: ({ email }) => [
      { name: "display_name", label: "Name", autocomplete: "name", maxlength: 50 },
      {
        name: "handle",
        label: "Handle",
        autocomplete: "nickname",
        maxlength: 31,
        hint: "By which others find you: letters, digits and _ . -",
      },
      emailField(email),
      NEW_PASSWORD,
    ],
    others: [BACK],
    async submit({ cognito, go }, { display_name, handle, email, password }) {
      await cognito.signUp({ display_name, handle: bareHandle(handle), email, password });
      go("confirm", { email, password });
    },
  },

  confirm: {
    title: "Confirm your address",
    lead: whereTheCodeIs,
    action: "Confirm",
    fields: () => [CODE],
    others: [
      {
        text: "Send a new code",
        run: ({ cognito, email }) => cognito.resendCode(email),
        done: "A new code is on its way.",
      },
      BACK,
    ],
    async submit({ cognito, email, password, signIn }, { code }) {
      await cognito.confirmSignUp(email, code);
      await signIn(email, password);
    },
  },

  forgotten: {
    title: "Forgotten password",
    lead: () => "You get a code by e-mail, and choose a new password with it.",
    action: "Send a code",
    fields: ({ email }) => [emailField(email)],
    others: [BACK],
    async submit({ cognito, go }, { email }) {
      await cognito.forgotPassword(email);
      go("new_password", { email });
    },
  },

  new_password: {
    title: "Choose a new password",
    lead: whereTheCodeIs,
    action: "Set password",
    fields: () => [CODE, { ...NEW_PASSWORD, label: "New password" }],
    others: [BACK],
    async submit({ cognito, email, signIn }, { code, password }) {
      await cognito.confirmForgotPassword(email, code, password);
      await signIn(email, password);
    },
  },

  // The first sign-in of who was invited by an administrator.
  invited: {
    title: "Choose a new password",
    action: "Set password",
    fields: () => [{ ...NEW_PASSWORD, label: "New password" }],
    others: [BACK],
    async submit({ cognito, invited, signedIn }, { password }) {
      await signedIn(await cognito.choosePassword(invited, password));
    },
  },
};

function emailField(value) {
  return { name: "email", label: "E-mail address", type: "email", autocomplete: "username", value };
}

function whereTheCodeIs({ email, isLocal }) {
  return isLocal
    ? html`No mail is sent on this machine: the code for <b>${email}</b> is printed in the terminal
        where <code>make run</code> runs.`
    : html`If this is your address, a code was sent to <b>${email}</b>.`;
}

/** A form of who is not signed in: `step` says which. */
class AccountForm extends FormView {
  #note = "";

  get #step() {
    return STEPS[this.props.step];
  }

  template() {
    const { title, lead, fields, action, others } = this.#step;
    return html`
      <h1>${title}</h1>
      ${lead ? html`<p class="lead">${lead(this.props)}</p>` : nothing}
      ${this.form(
        fields(this.props).map((field) => this.field(field)),
        action,
        others.map(
          (other) =>
            html`<button type="button" class="link" @click=${() => this.#do(other)}>
              ${other.text}
            </button>`,
        ),
      )}
      <p class="note" role="status">${this.#note}</p>
    `;
  }

  submit(typed) {
    return this.#step.submit(this.props, typed);
  }

  #do({ run, done = "" }) {
    this.attempt(async () => {
      await run(this.props, this.values);
      this.#note = done;
    });
  }
}

customElements.define("account-form", AccountForm);
