import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Api } from "../api.js";
import { Cognito } from "../cognito.js";
import { ApiError, SignedOutError, reason } from "../errors.js";
import { currentRoute, navigate, startRouter } from "../router.js";
import { Session } from "../session.js";
import { Store } from "../store.js";
import { View } from "./view.js";
import "./messages-page.js";
import "./sign-in-page.js";

/** The whole client: who is not signed in sees one page, all others their messages. */
class CruddurApp extends View {
  #config;
  #cognito;
  #why = "";
  #error = "";
  #session = null;
  #store = null;
  /** @type {"starting" | "failed" | "signed_out" | "signed_in"} */
  #status = "starting";

  connectedCallback() {
    super.connectedCallback();
    startRouter(() => this.update());
    this.#start();
  }

  template() {
    switch (this.#status) {
      case "failed":
        return html`<main class="notice-page">
          <p class="error" role="alert">${this.#error}</p>
          <button type="button" class="primary" @click=${this.#start}>Try again</button>
          ${
            this.#session
              ? html`<button type="button" class="link" @click=${() => this.#session.signOut()}>
                  Sign out
                </button>`
              : nothing
          }
        </main>`;
      case "signed_out":
        document.title = "Sign in · Cruddur Messages";
        return html`<sign-in-page
          .props=${{
            config: this.#config,
            cognito: this.#cognito,
            why: this.#why,
            signedIn: this.#signedIn,
          }}
        ></sign-in-page>`;
      case "signed_in":
        return html`<messages-page
          .props=${{ store: this.#store, path: location.pathname, route: currentRoute() }}
        ></messages-page>`;
      default:
        return nothing;
    }
  }

  #start = async () => {
    this.#show("starting");
    try {
      if (!isSecureContext)
        throw new Error("This page works at https addresses, and at localhost.");
      this.#config = await loadConfig();
      this.#cognito = new Cognito(this.#config);
      // The one of an attempt that failed is still good.
      const session = this.#session ?? (await Session.resume(this.#cognito));
      if (session) await this.#enter(session);
      else this.#show("signed_out");
    } catch (error) {
      if (!(error instanceof SignedOutError)) this.#fail(error);
    }
  };

  #signedIn = async (result) => {
    const session = Session.begin(this.#cognito, result);
    try {
      await this.#enter(session);
    } catch (error) {
      if (this.#status !== "signed_in") session.signOut();
      throw error;
    }
  };

  async #enter(session) {
    if (session !== this.#session) session.addEventListener("end", () => this.#leave(session));
    this.#session = session;
    const api = new Api(this.#config.api_url, session);
    // Who this is and what they have: neither waits for the other.
    const listed = api.messageGroups();
    listed.catch(() => {});
    const isKnown = Boolean(session.me);
    if (!isKnown) session.identify(await api.me());
    this.#why = "";
    this.#store = new Store(api, session, { hasSocket: Boolean(this.#config.socket_url) });
    this.#show("signed_in");
    if (isKnown) this.#store.refreshMe();
    await this.#store.start(listed);
  }

  #leave(session) {
    this.#store?.stop({ forget: session.ended === "signed_out" });
    this.#store = this.#session = null;
    this.#why = session.ended;
    // The next one who signs in has other message groups; the same person comes back to the page.
    if (session.ended === "signed_out") navigate("/messages", { replace: true });
    this.#show("signed_out");
  }

  #fail(error) {
    const isKnown = error instanceof ApiError || error.message.startsWith("This page");
    this.#error = isKnown ? reason(error) : "Cruddur Messages cannot be reached.";
    this.#show("failed");
  }

  #show(status) {
    this.#status = status;
    this.update();
  }
}

/** What the client is told about its stack: docs/web.md names each part. */
async function loadConfig() {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`/config.json: ${answer.status}`);
  return answer.json();
}

customElements.define("cruddur-app", CruddurApp);
