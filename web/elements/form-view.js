import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { reason } from "../errors.js";
import { View } from "./view.js";

/** A form with its fields, its error, and its state while it waits: `submit(values)` does it. */
export class FormView extends View {
  #error = "";
  #isBusy = false;

  connectedCallback() {
    super.connectedCallback();
    if (this.props.takesFocus !== false) this.querySelector("input").focus({ preventScroll: true });
  }

  /** @param {{name: string, label: string, [attribute: string]: string}} field */
  field({ name, label, type = "text", autocomplete = "off", value = "", hint = "", ...more }) {
    return html`<label class="field">
      <span>${label}</span>
      <input
        name=${name}
        type=${type}
        autocomplete=${autocomplete}
        .value=${value}
        inputmode=${more.inputmode ?? nothing}
        minlength=${more.minlength ?? nothing}
        maxlength=${more.maxlength ?? nothing}
        autocapitalize="none"
        spellcheck="false"
        required
      />
      ${hint && html`<small>${hint}</small>`}
    </label>`;
  }

  /** The form around fields, with its button; `others` are buttons of less weight. */
  form(fields, action, others) {
    return html`<form @submit=${this.#submit} aria-busy=${String(this.#isBusy)}>
      ${fields} ${this.#error && html`<p class="error" role="alert">${this.#error}</p>`}
      <button class="primary" ?disabled=${this.#isBusy}>${action}</button>
      ${others ? html`<p class="others">${others}</p>` : nothing}
    </form>`;
  }

  /** What was typed, without the spaces around it; those of a password are part of it. */
  get values() {
    const typed = [...new FormData(this.querySelector("form"))];
    return Object.fromEntries(
      typed.map(([name, text]) => [name, name === "password" ? text : text.trim()]),
    );
  }

  /** Do something that may fail, and say so if it does. */
  async attempt(action) {
    this.#error = "";
    this.#isBusy = true;
    this.update();
    try {
      await action();
    } catch (error) {
      this.#error = reason(error);
    }
    this.#isBusy = false;
    this.update();
  }

  #submit(event) {
    event.preventDefault();
    if (this.#isBusy) return;
    this.attempt(() => this.submit(this.values));
  }
}
