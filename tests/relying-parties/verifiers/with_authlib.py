"""Authlib, as a resource server that takes what RFC 9068 calls an access token."""

import requests
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from verifier import verify_all


def authlib(provider, audience):
    class Validator(JWTBearerTokenValidator):
        keys = None

        def get_jwks(self):
            if self.keys is None:
                self.keys = KeySet.import_key_set(requests.get(provider["jwks_uri"], timeout=10).json())
            return self.keys

    validator = Validator(issuer=provider["issuer"], resource_server=audience)

    def verify(token):
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, [], None)
        return claims["sub"]

    return verify


verify_all(authlib)
