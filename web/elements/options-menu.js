import { html } from "../vendor/lit-html/lit-html.js";
import { more } from "./icons.js";
import { View } from "./view.js";

const GAP = 6;
let count = 0;

/**
 * A button that opens a few choices: `label` says of what, `items` are `{text, run}`.
 *
 * `content` is shown above them, and `face` in place of the three dots.
 */
class OptionsMenu extends View {
  #id = `options-${(count += 1)}`;

  template() {
    const { label, items, content, face = more } = this.props;
    return html`
      <button type="button" class="icon-button" aria-label=${label} popovertarget=${this.#id}>
        ${face}
      </button>
      <div
        id=${this.#id}
        class="menu"
        popover
        role="group"
        aria-label=${label}
        @toggle=${this.#place}
      >
        ${content}
        ${items.map(
          (item) =>
            html`<button type="button" @click=${() => this.#run(item)}>${item.text}</button>`,
        )}
      </div>
    `;
  }

  get #menu() {
    return this.querySelector(".menu");
  }

  /** Below the button, or above it where there is no room; a browser puts it in the middle. */
  #place({ newState }) {
    if (newState !== "open") return;
    const menu = this.#menu;
    const button = this.querySelector("button").getBoundingClientRect();
    const { width, height } = menu.getBoundingClientRect();
    const isBelow = button.bottom + GAP + height < innerHeight;
    menu.style.top = `${isBelow ? button.bottom + GAP : button.top - GAP - height}px`;
    menu.style.left = `${Math.max(GAP, Math.min(button.left, innerWidth - width - GAP))}px`;
    // The event comes a moment late: who is quick with the keyboard is in the menu already.
    if (menu.matches(":focus-within")) return;
    menu.querySelector("button, input")?.focus({ preventScroll: true });
  }

  #run(item) {
    this.#menu.hidePopover();
    item.run();
  }
}

customElements.define("options-menu", OptionsMenu);
