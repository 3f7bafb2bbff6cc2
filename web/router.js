/** Which page the address names, and how to get to another one without loading the client again. */

const UUID = /^[0-9a-f-]{32,36}$/i;

/**
 * @typedef {{page: "message_groups"} | {page: "find"} | {page: "new", handle: string}
 *   | {page: "message_group", uuid: string} | {page: "unknown"}} Route
 */

/** @returns {Route} */
export function currentRoute() {
  const [first, second, third, ...more] = location.pathname.split("/").filter(Boolean);
  if (first !== "messages" || more.length) return { page: "unknown" };
  if (second === undefined) return { page: "message_groups" };
  if (second === "new") return third ? newMessageTo(third) : { page: "find" };
  if (third !== undefined || !UUID.test(second)) return { page: "unknown" };
  return { page: "message_group", uuid: second.toLowerCase() };
}

function newMessageTo(written) {
  try {
    return { page: "new", handle: decodeURIComponent(written) };
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return { page: "unknown" };
  }
}

/** Go to a path; with `replace`, "back" does not lead to the present one any more. */
export function navigate(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  dispatchEvent(new Event("navigate"));
}

/** Call `changed` whenever the address has changed. */
export function startRouter(changed) {
  if (location.pathname === "/") history.replaceState(null, "", "/messages");
  addEventListener("popstate", changed);
  addEventListener("navigate", changed);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    const isOurs = link?.origin === location.origin && !link.target;
    const isPlain = !event.defaultPrevented && event.button === 0;
    if (!isOurs || !isPlain || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
      return;
    }
    event.preventDefault();
    if (link.pathname !== location.pathname) navigate(link.pathname);
  });
}
