"""`GET /authorize`: stores a login that belongs to this browser, and sends it to WeChat."""

import os
import time
from urllib.parse import urlencode, urlsplit

import login

OPEN_URL = os.environ["WECHAT_OPEN_URL"]
SCOPES = ("snsapi_base", "snsapi_userinfo")


def is_page_load(headers):
    """Whether a browser that says so opens a page: no image or frame of another site begins a login."""
    return headers.get("sec-fetch-dest", "document") == "document" and headers.get("sec-fetch-mode", "navigate") == "navigate"


def may_end_at(address):
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_plain = address.isascii() and address.isprintable() and "\\" not in address and " " not in address
    return is_plain and f"{parts.scheme}://{parts.netloc}" in login.ALLOWED_ORIGINS


def handler(event, context):
    began = time.monotonic()
    if not is_page_load(event["headers"]):
        login.log(context, "not_a_page", began)
        return login.answer(403, {"error": "not_a_page"})
    query = event.get("queryStringParameters", {})
    scope = query.get("scope", "snsapi_base")
    return_to = query.get("return_to", login.DEFAULT_RETURN_TO)
    if scope not in SCOPES or not (return_to == login.DEFAULT_RETURN_TO or may_end_at(return_to)):
        login.log(context, "invalid_request", began)
        return login.answer(400, {"error": "invalid_request"})

    # One secret a browser, so that two tabs can log in side by side.
    browser = login.cookie(event, login.BROWSER_COOKIE) or login.random()
    state = login.random()
    login.dynamodb.put_item(
        TableName=login.LOGINS_TABLE,
        Item={
            "id": {"S": login.digest("login", state)},
            "browser": {"S": login.digest("browser", browser)},
            "app": {"S": login.APP_ID},
            "scope": {"S": scope},
            "return_to": {"S": return_to},
            "expires_at": {"N": str(login.now() + login.LOGIN_LIFETIME)},
        },
        ConditionExpression="attribute_not_exists(id)",
    )
    parameters = {
        "appid": login.APP_ID,
        "redirect_uri": f"{login.PUBLIC_URL}/callback",
        "response_type": "code",
        "scope": scope,
        "state": state,
    }
    login.log(context, "login_begun", began)
    return login.redirect(
        302,
        f"{OPEN_URL}/connect/oauth2/authorize?{urlencode(parameters)}#wechat_redirect",
        login.set_cookie(login.BROWSER_COOKIE, browser, login.SESSION_LIFETIME),
    )
