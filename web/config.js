/**
 * What the client is told about its stack: see docs/web.md.
 * @typedef {object} Config
 * @property {string} api_url
 * @property {string} socket_url empty for a stack without one
 * @property {string} sign_in_url
 * @property {string} user_pool_id
 * @property {string} user_pool_client_id
 * @property {Array<{handle: string, display_name: string, email: string}>} people
 * @property {string} password
 */

/** @returns {Promise<Config>} */
export async function loadConfig() {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`/config.json: ${answer.status}`);
  return answer.json();
}
