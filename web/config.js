/** What the client is told about its stack: docs/web.md names each part. */
export async function loadConfig() {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`/config.json: ${answer.status}`);
  return answer.json();
}
