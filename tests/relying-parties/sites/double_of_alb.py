"""Not a load balancer: a double that does what AWS documents of an Application Load Balancer's `authenticate-oidc`.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html says the flow, which
addresses it is told, that userinfo is asked with the access token, what the application behind it gets, the 15 minutes, the
11 KB, and that a logout is the application's: it expires the cookie and sends the browser to the provider.
AWS does not say how the secret is shown, so that every other request shows it the other way; nor what `state` is.
"""

import base64
import json
import os
import secrets
import time
from urllib.parse import urlencode

import requests
from flask import Flask, redirect, request

from website import CLIENT_ID, CLIENT_SECRET, ISSUER, ORIGIN, discovered, serve

CALLBACK = f"{ORIGIN}/oauth2/idpresponse"
COOKIE = "AWSELBAuthSessionCookie-0"
LOGIN_TIMEOUT = 15 * 60
MOST = 11 * 1024
# It discovers nothing: an operator writes the addresses down.
ENDPOINTS = discovered()
app = Flask(__name__)
begun, sessions, ways, left = {}, {}, [], []


class Refused(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


@app.errorhandler(Refused)
def refused(error):
    return str(error), error.status


def ask_for_tokens(**form):
    """Which way the secret is shown takes turns."""
    ways.append("form" if len(ways) % 2 else "Basic")
    shown = {"auth": (CLIENT_ID, CLIENT_SECRET)}
    if ways[-1] == "form":
        form, shown = {**form, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, {}
    answer = requests.post(ENDPOINTS["token_endpoint"], form, timeout=10, **shown)
    if answer.status_code != 200:
        raise Refused(561, f"{ways[-1]}: {answer.status_code} {answer.text}")
    return answer.json()


def claims_of(tokens):
    """What userinfo says, which is the same person's as the ID token."""
    part = tokens["id_token"].split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if said["iss"] != ISSUER or said["aud"] != CLIENT_ID or said["exp"] <= time.time():
        raise Refused(500, f"an ID token of {said}")
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = requests.get(ENDPOINTS["userinfo_endpoint"], headers=bearer, timeout=10)
    if answer.status_code != 200 or answer.headers["content-type"].split(";")[0] != "application/json":
        raise Refused(500, f"userinfo: {answer.status_code} {answer.text}")
    claims = answer.json()
    if claims["sub"] != said["sub"]:
        raise Refused(500, f"userinfo of {claims['sub']}")
    if len(answer.content) + len(tokens["access_token"]) > MOST:
        raise Refused(500, "more than 11 KB")
    return claims


def renew(session):
    """A refresh that fails ends the session; a provider may leave the refresh token as it is."""
    tokens = ask_for_tokens(grant_type="refresh_token", refresh_token=session["refresh_token"])
    session.update(tokens, claims=claims_of({**session, **tokens}), until=time.time() + tokens["expires_in"])


@app.get("/login")
def begin():
    state = base64.b64encode(os.urandom(1100)).decode()
    nonce = secrets.token_urlsafe()
    begun[nonce] = (state, time.time())
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile",
        "state": state,
    }
    answer = redirect(f"{ENDPOINTS['authorization_endpoint']}?{urlencode(asked)}")
    answer.set_cookie("AWSALBAuthNonce", nonce, secure=True, httponly=True)
    return answer


@app.get("/oauth2/idpresponse")
def finish():
    state, since = begun.pop(request.cookies.get("AWSALBAuthNonce"), (None, 0))
    if request.args.get("state") != state or time.time() - since > LOGIN_TIMEOUT:
        raise Refused(401, "no such login")
    code = request.args.get("code") or ""
    tokens = ask_for_tokens(grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
    key = secrets.token_urlsafe()
    sessions[key] = {**tokens, "claims": claims_of(tokens), "until": time.time() + tokens["expires_in"]}
    answer = redirect(f"{ORIGIN}/")
    answer.set_cookie(COOKIE, key, secure=True, httponly=True)
    return answer


@app.get("/")
@app.get("/userinfo")
def application():
    """What the application behind it is told by headers."""
    session = sessions.get(request.cookies.get(COOKIE))
    if session is None:
        return redirect(f"{ORIGIN}/login")
    if session["until"] <= time.time():
        try:
            renew(session)
        except Refused:
            del sessions[request.cookies[COOKIE]]
            return redirect(f"{ORIGIN}/login")
    headers = {
        "x-amzn-oidc-identity": session["claims"]["sub"],
        "x-amzn-oidc-accesstoken": session["access_token"],
        "x-amzn-oidc-data": session["claims"],
    }
    claims = headers["x-amzn-oidc-data"]
    return {**claims, "sub": headers["x-amzn-oidc-identity"], "access_token": headers["x-amzn-oidc-accesstoken"]}


@app.get("/refresh")
def expire():
    """As if the access token had come to its end."""
    sessions[request.cookies[COOKIE]]["until"] = 0
    return redirect(f"{ORIGIN}/")


@app.get("/logout")
def log_out():
    """The application's own. It is not given the ID token, so that it has no hint to send along."""
    leave = {"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{ORIGIN}/bye"}
    answer = redirect(f"{ENDPOINTS['end_session_endpoint']}?{urlencode(leave)}")
    answer.delete_cookie(COOKIE, secure=True, httponly=True)
    left.append(sessions.pop(request.cookies[COOKIE]))
    return answer


@app.get("/bye")
def bye():
    """Where the application did not expire the cookie, the session ends with the access token."""
    try:
        renew(left.pop())
    except Refused as refusal:
        return {"refused": str(refusal)}
    raise Refused(500, "a session that goes on after the logout")


serve(app)
