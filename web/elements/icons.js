/** Drawings; what they mean is said by the element around them. */

import { html } from "../vendor/lit-html/lit-html.js";

export const plus = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M12 5v14M5 12h14" />
</svg>`;
export const back = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M15 5l-7 7 7 7" />
</svg>`;
export const more = html`<svg class="icon filled" viewBox="0 0 24 24" aria-hidden="true">
  <circle cx="5" cy="12" r="1.8" />
  <circle cx="12" cy="12" r="1.8" />
  <circle cx="19" cy="12" r="1.8" />
</svg>`;
export const send = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M12 19V5M5.5 11.5L12 5l6.5 6.5" />
</svg>`;
export const down = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M12 5v14M5.5 12.5L12 19l6.5-6.5" />
</svg>`;
export const bellOff = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path
    d="M10 20.5h4M6.5 10c0 5-2 6-2 7H17M17.5 12.500c0-5-1.500-8.500-5.500-8.500-1.300 0-2.400.4-3.300 1M4 4l16 16"
  />
</svg>`;
export const clock = html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
  <circle cx="8" cy="8" r="5.500" />
  <path d="M8 5v3.200l2 1.300" />
</svg>`;
export const sent = html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
  <path d="M3.500 8.500l3 3 6-7" />
</svg>`;
export const seen = html`<svg class="icon wide" viewBox="0 0 21 16" aria-hidden="true">
  <path d="M2.500 8.500l3 3 6-7M9.500 10.500l1 1 6-7" />
</svg>`;
export const warning = html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
  <circle cx="8" cy="8" r="6" />
  <path d="M8 4.800v3.800M8 11v.2" />
</svg>`;
export const mark = html`<img class="brand-mark" src="/icon.svg" alt="" />`;
