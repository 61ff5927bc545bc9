"""idpyoidc, of those who wrote the first conformance suite."""

import logging

import urllib3
from cryptojwt import KeyJar
from flask import Flask, redirect, request
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.rp_handler import RPHandler

from website import CLIENT_ID, CLIENT_SECRET, ISSUER, ORIGIN, serve

# It warns that `application/json` is not `json`.
logging.disable(logging.WARNING)
# For `localhost`, and for the keys alone, it looks at no certificate.
urllib3.disable_warnings()
app = Flask(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True
handler = RPHandler(
    base_url=ORIGIN,
    # By default it makes keys of its own, and writes them into the directory that it is started in.
    keyjar=KeyJar(),
    services={**DEFAULT_OIDC_SERVICES, "end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"}},
    client_configs={
        "wechat": {
            "client_type": "oidc",
            "issuer": ISSUER,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "client_authn_methods": ["client_secret_basic"],
            "redirect_uris": [f"{ORIGIN}/callback"],
            "post_logout_redirect_uris": [f"{ORIGIN}/bye"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile"],
            "add_ons": {
                "pkce": {
                    "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
                    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
                }
            },
        }
    },
)
# One browser comes here.
logged_in = {}


@app.get("/login")
def login():
    return redirect(handler.begin("wechat"))


@app.get("/callback")
def callback():
    logged_in.update(handler.finalize(ISSUER, request.args.to_dict()))
    return redirect("/")


@app.get("/")
def front_page():
    token, _ = handler.get_valid_access_token(logged_in["state"])
    claims = logged_in["id_token"]
    return {"sub": claims["sub"], "name": claims["name"], "access_token": token}


@app.get("/refresh")
def refresh():
    handler.refresh_access_token(logged_in["state"])
    return redirect("/")


@app.get("/userinfo")
def userinfo():
    return handler.get_user_info(logged_in["state"]).to_dict()


@app.get("/logout")
def logout():
    return redirect(handler.logout(logged_in["state"], post_logout_redirect_uri=f"{ORIGIN}/bye")["url"])


@app.get("/bye")
def bye():
    return {}


serve(app)
