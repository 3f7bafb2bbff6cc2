/** Sign-up and sign-in by Cognito's own API, which needs no credentials. */

import { UnreachableError } from "./errors.js";
import { SrpProof } from "./srp.js";

const SECONDS = 20_000;

/** Cognito said no; `code` is its name for why, such as NotAuthorizedException. */
export class CognitoError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Who was invited by an administrator has to choose a password first: see `choosePassword`. */
export class PasswordRequiredError extends Error {
  constructor(challenge, user) {
    super("A password has to be chosen.");
    this.challenge = challenge;
    this.user = user;
  }
}

export class Cognito {
  #config;

  constructor(config) {
    this.#config = config;
  }

  signUp({ email, password, handle, display_name }) {
    return this.#call("SignUp", {
      Username: email,
      Password: password,
      UserAttributes: [
        { Name: "email", Value: email },
        { Name: "preferred_username", Value: handle },
        { Name: "name", Value: display_name },
      ],
    });
  }

  confirmSignUp(email, code) {
    return this.#call("ConfirmSignUp", { Username: email, ConfirmationCode: code });
  }

  resendCode(email) {
    return this.#call("ResendConfirmationCode", { Username: email });
  }

  forgotPassword(email) {
    return this.#call("ForgotPassword", { Username: email });
  }

  confirmForgotPassword(email, code, password) {
    return this.#call("ConfirmForgotPassword", {
      Username: email,
      ConfirmationCode: code,
      Password: password,
    });
  }

  /** Sign in: `{AccessToken, RefreshToken, ExpiresIn}`. */
  async signIn(email, password) {
    const proof = new SrpProof();
    const started = await this.#call("InitiateAuth", {
      AuthFlow: "USER_SRP_AUTH",
      AuthParameters: { USERNAME: email, SRP_A: proof.publicValue },
    });
    const parameters = started.ChallengeParameters;
    const answers = await proof.prove(parameters, this.#config.user_pool_id, password);
    const answer = await this.#respond(started, answers);
    if (answer.ChallengeName === "NEW_PASSWORD_REQUIRED") {
      throw new PasswordRequiredError(answer, answers.USERNAME);
    }
    return result(answer);
  }

  /** The end of a sign-in that raised this error. */
  async choosePassword({ challenge, user }, password) {
    return result(await this.#respond(challenge, { USERNAME: user, NEW_PASSWORD: password }));
  }

  /** New tokens: `{AccessToken, ExpiresIn}`. */
  async refresh(refreshToken) {
    const answer = await this.#call("InitiateAuth", {
      AuthFlow: "REFRESH_TOKEN_AUTH",
      AuthParameters: { REFRESH_TOKEN: refreshToken },
    });
    return answer.AuthenticationResult;
  }

  revoke(refreshToken) {
    return this.#call("RevokeToken", { Token: refreshToken }, { keepalive: true });
  }

  #respond(challenge, responses) {
    return this.#call("RespondToAuthChallenge", {
      ChallengeName: challenge.ChallengeName,
      ChallengeResponses: responses,
      Session: challenge.Session,
    });
  }

  async #call(action, body, options = {}) {
    let answer;
    let content;
    try {
      answer = await fetch(this.#config.sign_in_url, {
        method: "POST",
        headers: {
          "content-type": "application/x-amz-json-1.1",
          "x-amz-target": `AWSCognitoIdentityProviderService.${action}`,
        },
        body: JSON.stringify({ ClientId: this.#config.user_pool_client_id, ...body }),
        signal: AbortSignal.timeout(SECONDS),
        ...options,
      });
      content = JSON.parse((await answer.text()) || "{}");
    } catch (cause) {
      throw new UnreachableError(cause);
    }
    if (answer.status >= 500) throw new UnreachableError(answer.status);
    if (answer.ok) return content;
    throw new CognitoError(content.__type?.split("#").at(-1) ?? "", content.message ?? "");
  }
}

function result(answer) {
  if (answer.AuthenticationResult) return answer.AuthenticationResult;
  throw new CognitoError(answer.ChallengeName, "This page cannot answer what was asked for.");
}
