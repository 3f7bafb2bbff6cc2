import { render } from "../vendor/lit-html/lit-html.js";

/**
 * An element that draws its `template()` into itself: from its `props`, whenever these are others,
 * and again when the store among them has changed.
 */
export class View extends HTMLElement {
  #props = {};
  #isQueued = false;
  #redraw = () => this.update();

  get props() {
    return this.#props;
  }

  set props(props) {
    const known = this.#props;
    const names = Object.keys(props);
    if (names.every((name) => props[name] === known[name])) return;
    if (this.isConnected && known.store !== props.store) {
      known.store?.removeEventListener("change", this.#redraw);
      props.store?.addEventListener("change", this.#redraw);
    }
    this.#props = props;
    if (this.isConnected) this.draw();
  }

  get store() {
    return this.#props.store;
  }

  connectedCallback() {
    this.store?.addEventListener("change", this.#redraw);
    this.draw();
  }

  disconnectedCallback() {
    this.store?.removeEventListener("change", this.#redraw);
  }

  /** Draw before the browser paints, however often this is called until then. */
  update() {
    if (this.#isQueued) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      if (this.isConnected) this.draw();
    });
  }

  draw() {
    render(this.template(), this, { host: this });
  }
}
