"""Authlib, by its client for Flask."""

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect

from website import CLIENT_ID, CLIENT_SECRET, ISSUER, ORIGIN, serve

app = Flask(__name__)
app.secret_key = "of this site alone"
app.config["PROPAGATE_EXCEPTIONS"] = True
wechat = OAuth(app).register(
    "wechat",
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
)
# One browser comes here. A session of Flask's is a cookie, which holds no three tokens.
logged_in = {}


@app.get("/login")
def login():
    return wechat.authorize_redirect(f"{ORIGIN}/callback")


@app.get("/callback")
def callback():
    logged_in["token"] = wechat.authorize_access_token()
    return redirect("/")


@app.get("/")
def front_page():
    token = logged_in["token"]
    return {**token["userinfo"], "access_token": token["access_token"]}


@app.get("/refresh")
def refresh():
    old = logged_in["token"]
    new = wechat.fetch_access_token(grant_type="refresh_token", refresh_token=old["refresh_token"])
    new["userinfo"] = wechat.parse_id_token(new, nonce=None)
    logged_in["token"] = new
    return redirect("/")


@app.get("/userinfo")
def userinfo():
    return wechat.userinfo(token=logged_in["token"])


@app.get("/logout")
def logout():
    return wechat.logout_redirect(f"{ORIGIN}/bye", id_token_hint=logged_in["token"]["id_token"])


@app.get("/bye")
def bye():
    return wechat.validate_logout_response()


serve(app)
