"""`GET /userinfo`: who is logged in, for a page of an allowed origin."""

import json
import time

from cryptography.exceptions import InvalidTag

import login
import sealing


def session(token):
    key = login.digest("session", token)
    item = login.get(login.SESSIONS_TABLE, key)
    if item is None:
        return None, None
    try:
        return json.loads(sealing.unseal(token, key, item["sealed"]["B"])), int(item["expires_at"]["N"])
    except InvalidTag:
        return None, None


def handler(event, context):
    began = time.monotonic()
    origin = event["headers"].get("origin")
    if origin is not None and origin not in login.ALLOWED_ORIGINS:
        login.log(context, "foreign_origin", began)
        return login.answer(403, {"error": "foreign_origin"}, vary="origin")
    allowed = {"vary": "origin"}
    if origin is not None:
        allowed |= {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}

    token = login.cookie(event, login.SESSION_COOKIE)
    found, expires_at = session(token) if token else (None, None)
    if found is None:
        login.log(context, "not_logged_in", began)
        authorize_url = f"{login.PUBLIC_URL}/authorize"
        return login.answer(401, {"error": "not_logged_in", "authorize_url": authorize_url}, **allowed)
    shown = {"openid": found["openid"], "appid": found["app"], "scope": found["scope"], "expires_at": expires_at}
    if found["unionid"]:
        shown["unionid"] = found["unionid"]
    login.log(context, "shown", began)
    return login.answer(200, {**shown, **(found["profile"] or {})}, **allowed)
