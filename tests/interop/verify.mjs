// verify.mjs ISSUER TOKEN [SECONDS]: verifies an access token as an API in Node.js would that was told its issuer
// and nothing else, with `jose` and RFC 8414's metadata. SECONDS moves its clock forward.
// Prints the claims; a token that is refused ends it with 3 and the reason's code.
import { createLocalJWKSet, errors, jwtVerify } from "jose";

const [issuer, token, seconds = "0"] = process.argv.slice(2);

async function fetchJson(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}

// RFC 8414 §3.1: the well-known part stands between the host and the issuer's path.
const { origin, pathname } = new URL(issuer);
const metadata = await fetchJson(`${origin}/.well-known/oauth-authorization-server${pathname}`);
if (metadata.issuer !== issuer) throw new Error(`the metadata is of ${metadata.issuer}`); // §3.3
const keys = await fetchJson(metadata.jwks_uri);

try {
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
    issuer,
    audience: issuer,
    algorithms: keys.keys.map((key) => key.alg), // the set also holds each key to its own
    requiredClaims: ["iss", "aud", "sub", "exp", "iat", "jti", "sid"],
    currentDate: new Date(Date.now() + Number(seconds) * 1000),
  });
  if (!["JWT", "at+jwt"].includes(protectedHeader.typ)) throw new errors.JWTInvalid("unknown typ");
  console.log(JSON.stringify(payload));
} catch (error) {
  if (!(error instanceof errors.JOSEError)) throw error;
  console.log(`${error.code}: ${error.message}`);
  process.exitCode = 3;
}
