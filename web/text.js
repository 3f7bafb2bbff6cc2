/** What people write: the rules of the API, and how a text is shown. */

export const MAX_MESSAGE_CHARS = 1024;

// What the API calls blank: spaces, line ends, control and format characters, marks without a
// letter, and letters without a shape.
const BLANK = /^[\p{Zs}\p{Zl}\p{Zp}\p{Cc}\p{Cf}\p{Mn}\u115f\u1160\u3164\uffa0\u2800]*$/u;
const LINK = /\bhttps?:\/\/[^\s<>"']+|\bwww\.[^\s<>"']+\.[^\s<>"']+/giu;
// What follows a link in a sentence is no part of it.
const AFTER_LINK = /[.,:;!?\u2026\u3002\uff0c\u202a-\u202e\u2066-\u2069]+$/u;
const EMOJI = /^(?:\p{RGI_Emoji}\s*){1,3}$/v;

/** Say what is wrong with a text, or nothing: "blank", "invalid" or "too_long". */
export function problem(text) {
  if (!text.isWellFormed() || text.includes("\0")) return "invalid";
  if (BLANK.test(text)) return "blank";
  return countChars(text) > MAX_MESSAGE_CHARS ? "too_long" : null;
}

/** Count as the API does: code points, so that an emoji of four joined ones counts seven. */
export function countChars(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Whether a text is one to three emoji, which are shown larger. */
export function isEmoji(text) {
  return text.length < 60 && EMOJI.test(text);
}

/**
 * Split a text into plain parts and links.
 * @returns {Array<string | {href: string, text: string}>}
 */
export function parts(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const written = withoutTail(match[0]);
    const href = /^www\./i.test(written) ? `https://${written}` : written;
    if (!URL.canParse(href)) continue;
    if (match.index > end) found.push(text.slice(end, match.index));
    found.push({ href: new URL(href).href, text: written });
    end = match.index + written.length;
  }
  if (end < text.length) found.push(text.slice(end));
  return found;
}

/** Show "name" instead of "@name ", which the API would take for the same. */
export function bareHandle(text) {
  return text.trim().replace(/^@/, "");
}

/** The letters of an avatar. */
export function initials(name) {
  const words = name.trim().split(/\s+/u);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters
    .map((word) => firstCharacter(word))
    .join("")
    .toUpperCase();
}

function firstCharacter(word) {
  const [first] = new Intl.Segmenter().segment(word);
  return first?.segment ?? "";
}

function withoutTail(link) {
  let text = link.replace(AFTER_LINK, "");
  // A bracket belongs to the link if its other half does, as in an address of Wikipedia.
  while (text.endsWith(")") && text.split(")").length > text.split("(").length) {
    text = text.slice(0, -1).replace(AFTER_LINK, "");
  }
  return text;
}
