/** The messages of a group as they are shown, with what stands between them. */

import { isCovered } from "./positions.js";
import { dayKey } from "./time.js";

// Messages of one person within this time stand close together.
const RUN = 5 * 60_000;

/**
 * @typedef {{key: string, kind: "day", at: string}} Day
 * @typedef {{key: string, kind: "new"}} Divider
 * @typedef {{key: string, kind: "message", row: import("./api.js").Message, isOwn: boolean,
 *   state: string | null, entry?: import("./outbox.js").Entry, isFirst: boolean,
 *   isLast: boolean}} Item
 */

/**
 * @param {object} what
 * @param {import("./api.js").Message[]} what.rows oldest first
 * @param {import("./outbox.js").Entry[]} what.entries what is on its way
 * @param {string} what.handle one's own
 * @param {import("./api.js").Message} [what.firstNew] the row that the divider is above
 * @param {(row: object) => boolean} what.isSeen
 * @returns {Array<Day | Divider | Item>}
 */
export function timeline({ rows, entries, handle, firstNew, isSeen }) {
  const items = [
    ...rows.map((row) => {
      const isOwn = row.handle === handle;
      const state = isOwn ? (isSeen(row) ? "seen" : "sent") : null;
      return { key: `${row.handle} ${row.uuid}`, kind: "message", row, isOwn, state };
    }),
    ...entries.map((entry) => ({
      key: `${handle} ${entry.message_uuid}`,
      kind: "message",
      row: {
        uuid: entry.message_uuid,
        handle,
        message: entry.message,
        created_at: new Date(entry.written_at).toISOString(),
      },
      isOwn: true,
      state: entry.state,
      entry,
    })),
  ];
  const divided = items.find((item) => item.row === firstNew);
  return items.flatMap((item, index) => {
    const [before, after] = [items[index - 1], items[index + 1]];
    const isNewDay = !before || dayKey(before.row.created_at) !== dayKey(item.row.created_at);
    const between = [];
    if (isNewDay) {
      const key = `day ${dayKey(item.row.created_at)}`;
      between.push({ key, kind: "day", at: item.row.created_at });
    }
    if (item === divided) between.push({ key: "new", kind: "new" });
    const isFirst = between.length > 0 || !isRun(before, item);
    const isLast = !after || after === divided || !isRun(item, after);
    return [...between, { ...item, isFirst, isLast }];
  });
}

/**
 * The first row that is unread in a group, undefined where there is none or where it is not loaded.
 *
 * Someone who has never marked anything has no position up to which they have read, but a count.
 */
export function firstUnread({ rows, hasOlder }, { handle, read_up_to, unread_count }) {
  const theirs = rows.filter((row) => row.handle === handle);
  if (!read_up_to) return unread_count ? theirs.at(-unread_count) : undefined;
  const found = firstBehind(theirs, read_up_to);
  return found === rows[0] && hasOlder ? undefined : found;
}

/** The first of these rows that is behind a position. */
export function firstBehind(rows, position) {
  return rows.find((row) => !isCovered(row, position));
}

function isRun(one, other) {
  const [from, to] = [one.row.created_at, other.row.created_at];
  const isClose = new Date(to) - new Date(from) < RUN;
  return one.isOwn === other.isOwn && isClose && dayKey(from) === dayKey(to);
}
