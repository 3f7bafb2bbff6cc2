/** What can go wrong, and the words for it. */

/** Nobody answered, or a service that is down did: whether something was done is not known. */
export class UnreachableError extends Error {
  constructor(cause) {
    super("There was no answer.", { cause });
  }
}

/** The session is over: its owner has to sign in again. */
export class SignedOutError extends Error {}

/** The API said no: `codes` are those of its answer (docs/api.md). */
export class ApiError extends Error {
  constructor(status, codes, retryAfter) {
    super(codes.join(", ") || String(status));
    this.status = status;
    this.codes = codes;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later, and may even have succeeded now. */
  get isTemporary() {
    return this.status === 429 || this.status >= 500;
  }
}

const WORDS = {
  message_blank: "there is nothing to see in it.",
  message_exceed_max_chars_1024: "it has more than 1,024 characters.",
  message_invalid: "it has characters that cannot be stored.",
  message_to_self: "nobody can write to themselves here.",
  message_group_not_found: "this message group is not there, or not yours.",
  user_not_found: "there is no one with this handle.",
  message_uuid_reused: "another message was sent under its name.",
  user_not_registered: "this sign-in is not registered.",
  // Of Cognito
  NotAuthorizedException: "The e-mail address or the password is wrong.",
  UserNotFoundException: "The e-mail address or the password is wrong.",
  UsernameExistsException: "Somebody has signed up with this e-mail address.",
  InvalidPasswordException: "A password has at least 12 characters.",
  CodeMismatchException: "This is not the code that was sent.",
  ExpiredCodeException: "This code is not good any more: ask for a new one.",
  LimitExceededException: "That was too often: wait a while, and try again.",
  TooManyRequestsException: "That was too often: wait a while, and try again.",
  TooManyFailedAttemptsException: "That was too often: wait a while, and try again.",
  PasswordResetRequiredException: "This password has to be replaced: use “Forgotten password?”.",
};

const SIGN_UP_WORDS = {
  handle_invalid: "A handle has letters, digits and _ . - only, at most 30.",
  handle_taken: "Somebody has this handle already.",
  display_name_invalid: "A name has at most 50 characters, and one that can be seen.",
  email_invalid: "This is no e-mail address that can be used.",
};

/** Say in words why something was refused. */
export function reason(error) {
  if (error instanceof UnreachableError) return "There was no answer: try again.";
  if (error instanceof ApiError) return refusal(error.codes);
  if (error.code === "NotAuthorizedException" && !error.message.startsWith("Incorrect")) {
    return error.message;
  }
  const code = Object.keys(SIGN_UP_WORDS).find((name) => error.message.includes(name));
  return SIGN_UP_WORDS[code] ?? WORDS[error.code] ?? (error.message || "That did not work.");
}

/** Say in words why the API refused something with these codes. */
export function refusal(codes) {
  return codes.map((code) => WORDS[code] ?? `${code.replaceAll("_", " ")}.`).join(" ");
}
