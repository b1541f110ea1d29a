"""verify.py ISSUER TOKEN [SECONDS]: verifies an access token as an API in Python would that was told its issuer and
nothing else, with PyJWT and OpenID Connect Discovery. SECONDS moves its clock forward.
Prints the claims; a token that is refused ends it with 3 and the reason's class."""

import json
import sys
import urllib.request

import jwt

issuer, token = sys.argv[1:3]
seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 0

with urllib.request.urlopen(issuer + "/.well-known/openid-configuration", timeout=10) as answer:
    metadata = json.load(answer)
assert metadata["issuer"] == issuer, metadata

try:
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],  # the key's own, whatever the token says
        issuer=issuer,
        audience=issuer,
        leeway=-seconds,
        options={"require": ["iss", "aud", "sub", "exp", "iat", "jti", "sid"], "verify_iat": seconds == 0},
    )
    if jwt.get_unverified_header(token)["typ"] not in ("JWT", "at+jwt"):
        raise jwt.InvalidTokenError("unknown typ")
    print(json.dumps(claims))
except jwt.PyJWTError as error:
    print(f"{type(error).__name__}: {error}")
    sys.exit(3)
