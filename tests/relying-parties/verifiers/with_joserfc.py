"""joserfc, which Authlib verifies tokens with."""

import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from verifier import verify_all


def joserfc(provider, audience):
    keys = KeySet.import_key_set(requests.get(provider["jwks_uri"], timeout=10).json())
    algorithms = provider["id_token_signing_alg_values_supported"]
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": provider["issuer"]},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    )

    def verify(token):
        decoded = jwt.decode(token, keys, algorithms=algorithms)
        claims.validate(decoded.claims)
        return decoded.claims["sub"]

    return verify


verify_all(joserfc)
