import { html } from "../vendor/lit-html/lit-html.js";
import { initials } from "../text.js";
import { View } from "./view.js";

const HUES = 8;

/** The initials of a person on a colour that stays theirs; names stand beside it. */
class PersonAvatar extends View {
  template() {
    const { handle, display_name } = this.props;
    this.className = `hue-${(hash(handle) >>> 16) % HUES}`;
    this.ariaHidden = "true";
    return html`${initials(display_name || handle)}`;
  }
}

/** FNV-1a: the same for the same handle, everywhere. */
function hash(text) {
  return [...text].reduce(
    (sum, letter) => Math.imul(sum ^ letter.codePointAt(0), 0x01000193) >>> 0,
    0x811c9dc5,
  );
}

customElements.define("person-avatar", PersonAvatar);
