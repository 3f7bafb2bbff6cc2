/** Times as people say them, in the language of the browser. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
const word = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayOfAnyYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const longDay = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
});
const longDayOfAnyYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** How long ago: "now", "5 min ago", "yesterday", "Monday", "12 Mar", "30 Dec 2025". */
export function timeAgo(iso, now = new Date()) {
  const then = new Date(iso);
  const age = now - then;
  if (age < MINUTE) return word.format(0, "second");
  if (age < HOUR) return relative.format(-Math.floor(age / MINUTE), "minute");
  const days = daysBetween(then, now);
  if (days === 0 || age < 6 * HOUR) return relative.format(-Math.floor(age / HOUR), "hour");
  if (days === 1) return word.format(-1, "day");
  if (days < 7) return weekday.format(then);
  return (isSameYear(then, now) ? dayOfYear : dayOfAnyYear).format(then);
}

/** The time of day, as a message shows it. */
export const timeOfDay = (iso) => clock.format(new Date(iso));

/** All of a time, for who wants to know exactly. */
export const fullTime = (iso) => full.format(new Date(iso));

/** What a separator between two days says. */
export function dayName(iso, now = new Date()) {
  const then = new Date(iso);
  const days = daysBetween(then, now);
  if (days < 2) return capitalised(word.format(-Math.max(0, days), "day"));
  if (days < 7) return weekday.format(then);
  return (isSameYear(then, now) ? longDay : longDayOfAnyYear).format(then);
}

/** Which day it is here: the same text for two times of one day. */
export const dayKey = (iso) => new Date(iso).toDateString();

function daysBetween(then, now) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(now) - midnight(then)) / DAY);
}

function isSameYear(one, other) {
  return one.getFullYear() === other.getFullYear();
}

function capitalised(text) {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
