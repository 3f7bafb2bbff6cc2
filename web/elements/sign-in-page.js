import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { PasswordRequiredError } from "../cognito.js";
import { reason } from "../errors.js";
import { mark } from "./icons.js";
import { View } from "./view.js";
import "./account-form.js";
import "./person-avatar.js";

/** All that is there for who is not signed in: `signedIn` is called with what Cognito gave. */
class SignInPage extends View {
  #step = "sign_in";
  #known = { email: "", password: "" };
  #error = "";
  #busyWith = "";

  template() {
    const { config, why } = this.props;
    const props = {
      ...this.#known,
      step: this.#step,
      cognito: this.props.cognito,
      signedIn: this.props.signedIn,
      isLocal: config.people.length > 0,
      // Where people are offered with one click, nobody has to type.
      takesFocus: this.#step !== "sign_in" || !config.people.length,
      go: this.#go,
      signIn: this.#signIn,
    };
    return html`<main class="sign-in">
      <p class="brand">${mark}<span>Cruddur Messages</span></p>
      ${this.#step === "sign_in" && config.people.length ? this.#people(config.people) : nothing}
      <div class="card">
        ${
          why === "expired"
            ? html`<p class="note" role="status">Your session has ended. Sign in again.</p>`
            : nothing
        }
        ${repeat(
          [this.#step],
          (step) => step,
          () => html`<account-form .props=${props}></account-form>`,
        )}
      </div>
    </main>`;
  }

  #people(people) {
    return html`<section class="card people" role="group" aria-labelledby="people">
      <h2 id="people">People of this local cloud</h2>
      <p class="lead">One click signs you in. In a private window you can be somebody else.</p>
      <ul>
        ${people.map(
          (person) =>
            html`<li>
              <button
                type="button"
                ?disabled=${Boolean(this.#busyWith)}
                aria-busy=${String(this.#busyWith === person.handle)}
                @click=${() => this.#signInAs(person)}
              >
                <person-avatar .props=${person}></person-avatar>
                <span><span class="visually-hidden">Sign in as </span>${person.display_name}</span>
              </button>
            </li>`,
        )}
      </ul>
      ${this.#error && html`<p class="error" role="alert">${this.#error}</p>`}
    </section>`;
  }

  #go = (step, known = {}) => {
    this.#step = step;
    this.#known = { email: this.#known.email, password: "", ...known };
    this.update();
  };

  #signIn = async (email, password) => {
    const { cognito, signedIn } = this.props;
    try {
      await signedIn(await cognito.signIn(email, password));
    } catch (error) {
      if (!(error instanceof PasswordRequiredError)) throw error;
      this.#go("invited", { email, invited: error });
    }
  };

  async #signInAs({ handle, email }) {
    this.#error = "";
    this.#busyWith = handle;
    this.update();
    try {
      await this.#signIn(email, this.props.config.password);
    } catch (error) {
      this.#error = reason(error);
    }
    this.#busyWith = "";
    this.update();
  }
}

customElements.define("sign-in-page", SignInPage);
