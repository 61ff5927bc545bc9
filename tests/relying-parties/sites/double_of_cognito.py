"""Not Cognito: a double that does what AWS documents of a user pool whose OIDC provider we are.

https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-idp.html says what it demands: HTTPS, an
issuer without a slash at its end, `client_secret_post` and nothing else, a `kid` in the key set and in the token, an ID token
that is signed by RSA, userinfo by GET or by POST as the operator chose (here in turns), attributes of at most 2,048
characters. https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-flow.html says the flow, and the
5 minutes after which it gives up. It sends no PKCE. That it wants ports 80 or 443 cannot be done here.
"""

import base64
import os
import time
from urllib.parse import urlencode, urlsplit

import jwt
import requests
from flask import Flask, redirect, request

from website import CLIENT_ID, CLIENT_SECRET, ISSUER, ORIGIN, discovered, serve

CALLBACK = f"{ORIGIN}/oauth2/idpresponse"
PATIENCE = 5 * 60
# What `AttributeMapping` of the provider says, of the pool's attributes.
MAPPING = {"name": "name", "nickname": "nickname", "picture": "picture", "custom:openid": "wechat_openid"}
METHODS = (requests.get, requests.post)
app = Flask(__name__)
begun, logged_in, logins = {}, {}, []


def created():
    """What is checked when the provider is set up."""
    assert ISSUER.startswith("https://") and not ISSUER.endswith("/"), ISSUER
    document = discovered()
    assert document["issuer"] == ISSUER, document
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        assert urlsplit(document[name]).scheme == "https", name
    return document


ENDPOINTS = created()


def verified(token):
    kid = jwt.get_unverified_header(token)["kid"]
    keys = requests.get(ENDPOINTS["jwks_uri"], timeout=10).json()["keys"]
    key = next(key for key in keys if key["kid"] == kid)
    options = {"require": ["iss", "sub", "aud", "exp", "iat"]}
    return jwt.decode(token, jwt.PyJWK(key).key, ["RS256"], options, audience=CLIENT_ID, issuer=ISSUER)


@app.get("/login")
def begin():
    state = base64.urlsafe_b64encode(os.urandom(900)).decode()
    begun[state] = time.time()
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email",
        "state": state,
    }
    return redirect(f"{ENDPOINTS['authorization_endpoint']}?{urlencode(asked)}")


@app.get("/oauth2/idpresponse")
def finish():
    if time.time() - begun.pop(request.args["state"], 0) > PATIENCE:
        return "Something went wrong", 400
    form = {
        "grant_type": "authorization_code",
        "code": request.args["code"],
        "redirect_uri": CALLBACK,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    answer = requests.post(ENDPOINTS["token_endpoint"], form, timeout=10)
    answer.raise_for_status()
    tokens = answer.json()
    subject = verified(tokens["id_token"])["sub"]
    ask = METHODS[len(logins) % 2]
    logins.append(subject)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = ask(ENDPOINTS["userinfo_endpoint"], headers=bearer, timeout=10)
    answer.raise_for_status()
    told = answer.json()
    assert told["sub"] == subject, told
    attributes = {mine: told[theirs] for mine, theirs in MAPPING.items() if theirs in told}
    assert all(len(value) <= 2048 for value in attributes.values()), attributes
    logged_in.update(attributes, username=f"WeChat_{subject}")
    return redirect(f"{ORIGIN}/")


@app.get("/")
@app.get("/userinfo")
def front_page():
    """The user of the pool, whose name begins with the provider's."""
    return {**logged_in, "sub": logged_in["username"].removeprefix("WeChat_")}


serve(app)
