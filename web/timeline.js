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
 * @param {import("./api.js").Position | null | undefined} what.readUpTo before the first look;
 *   undefined for no divider
 * @param {boolean} what.hasOlder whether there are rows before the first
 * @param {(row: object) => boolean} what.isSeen
 * @returns {Array<Day | Divider | Item>}
 */
export function timeline({ rows, entries, handle, readUpTo, hasOlder, isSeen }) {
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
  const firstNew = rows.findIndex((row) => row.handle !== handle && !isCovered(row, readUpTo));
  const isWhole = firstNew > 0 || !hasOlder;
  const divided = readUpTo !== undefined && isWhole ? items[firstNew] : undefined;
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

function isRun(one, other) {
  const [from, to] = [one.row.created_at, other.row.created_at];
  const isClose = new Date(to) - new Date(from) < RUN;
  return one.isOwn === other.isOwn && isClose && dayKey(from) === dayKey(to);
}
