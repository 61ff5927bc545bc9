"""PyJWT, as its documentation verifies a token of an OpenID Provider."""

import jwt

from verifier import verify_all


def pyjwt(provider, audience):
    keys = jwt.PyJWKClient(provider["jwks_uri"])
    algorithms = provider["id_token_signing_alg_values_supported"]

    def verify(token):
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms, audience=audience, issuer=provider["issuer"])["sub"]

    return verify


verify_all(pyjwt)
