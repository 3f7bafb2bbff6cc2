/** Positions of messages, `{created_at, uuid}`: the API writes times so that their order is that of
 * the texts. */

/** Below 0 if `one` is before `other`, 0 if they are the same, above 0 if it is behind. */
export function compare(one, other) {
  return order(one.created_at, other.created_at) || order(one.uuid, other.uuid);
}

/** Whether a position is at or before a mark; a mark that is not there covers nothing. */
export function isCovered(position, mark) {
  return Boolean(mark) && compare(position, mark) <= 0;
}

function order(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
