"""What the verifiers in Python have in common: what they are asked, and how they answer.

Standard input is one JSON object: the issuer, the audience, and tokens by name. Standard output is one too: for each
token the `sub` of who is believed, or why it was refused.
"""

import json
import sys

import requests


def verify_all(verifier):
    """Hands `verifier` the provider's own document, and what it returns each token."""
    asked = json.load(sys.stdin)
    provider = requests.get(f"{asked['issuer']}/.well-known/openid-configuration", timeout=10).json()
    verify = verifier(provider, asked["audience"])
    answer = {}
    for name, token in asked["tokens"].items():
        try:
            answer[name] = {"sub": verify(token)}
        except Exception as error:
            answer[name] = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
