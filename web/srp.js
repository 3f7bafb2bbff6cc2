/**
 * The proof of a password that Cognito's USER_SRP_AUTH asks for: the password never leaves the page.
 *
 * SRP-6a (RFC 5054) with the 3,072-bit group of RFC 3526, SHA-256, and Cognito's own ways of writing
 * numbers and of deriving the key.
 */

const N = BigInt(
  "0x" +
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74" +
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437" +
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05" +
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB" +
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718" +
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33" +
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864" +
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2" +
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
);
const G = 2n;
const encoder = new TextEncoder();
const INFO = encoder.encode("Caldera Derived Key");

/** One sign-in: `publicValue` goes to Cognito first, and `prove` answers its challenge. */
export class SrpProof {
  #secret = number(crypto.getRandomValues(new Uint8Array(128)));
  #public = power(G, this.#secret);

  /** What is called SRP_A. */
  get publicValue() {
    return this.#public.toString(16);
  }

  /**
   * The answers to the challenge PASSWORD_VERIFIER.
   * @param {Record<string, string>} challenge its parameters
   * @param {string} poolId
   * @param {string} password
   * @param {Date} now
   */
  async prove(challenge, poolId, password, now = new Date()) {
    const { USER_ID_FOR_SRP: user, SALT, SRP_B, SECRET_BLOCK } = challenge;
    const pool = poolId.split("_")[1];
    const theirs = BigInt(`0x${SRP_B}`);
    if (theirs % N === 0n) throw new Error("SRP_B is no value of this group");
    const identity = await sha256(encoder.encode(`${pool}${user}:${password}`));
    const x = number(await sha256(bytes(BigInt(`0x${SALT}`)), identity));
    const k = number(await sha256(bytes(N), bytes(G)));
    const u = number(await sha256(bytes(this.#public), bytes(theirs)));
    const base = (((theirs - k * power(G, x)) % N) + N) % N;
    const shared = power(base, this.#secret + u * x);
    const timestamp = cognitoTime(now);
    const message = joined(
      encoder.encode(pool + user),
      Uint8Array.from(atob(SECRET_BLOCK), (character) => character.charCodeAt(0)),
      encoder.encode(timestamp),
    );
    const signature = await sign(await derivedKey(bytes(shared), bytes(u)), message);
    return {
      USERNAME: user,
      TIMESTAMP: timestamp,
      PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
      PASSWORD_CLAIM_SIGNATURE: btoa(String.fromCharCode(...signature)),
    };
  }
}

function power(base, exponent) {
  let result = 1n;
  for (let rest = exponent, square = base % N; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % N;
    square = (square * square) % N;
  }
  return result;
}

/** A number as Cognito hashes it: whole bytes, the first without its highest bit. */
function bytes(value) {
  let hex = value.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  if (/^[89a-f]/.test(hex)) hex = `00${hex}`;
  return Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16));
}

function number(octets) {
  return BigInt(`0x${Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("")}`);
}

function joined(...pieces) {
  return new Uint8Array(pieces.flatMap((piece) => [...piece]));
}

async function sha256(...pieces) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...pieces)));
}

async function derivedKey(shared, salt) {
  const key = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveBits"]);
  return crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: INFO }, key, 128);
}

async function sign(key, message) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}

/** A time in the only form that Cognito takes: "Tue Mar 3 09:05:07 UTC 2026". */
function cognitoTime(date) {
  const [, day, month, year, clock] = date.toUTCString().split(" ");
  const weekday = date.toUTCString().slice(0, 3);
  return `${weekday} ${month} ${Number(day)} ${clock} UTC ${year}`;
}
