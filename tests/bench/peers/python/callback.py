"""`GET /callback`: claims the login and its code, exchanges the code once, and stores the session."""

import json
import os
import secrets
import time

import boto3
import httpx

import login
import sealing

API_URL = os.environ["WECHAT_API_URL"]
SECRETS_KEPT = 15 * 60
GUARD_LIFETIME = 60 * 60

secretsmanager = boto3.client("secretsmanager", config=login.AWS)
# Address and answer hold secrets: nothing follows a redirect, and `httpx` logs no address unless it is told to.
wechat = httpx.Client(timeout=httpx.Timeout(5, connect=1.5), follow_redirects=False)
kept = {"until": 0.0, "secrets": {}}


class Refused(Exception):
    """WeChat gives no person for this code."""


def app_secret(app):
    if time.monotonic() > kept["until"]:
        text = secretsmanager.get_secret_value(SecretId=os.environ["APP_SECRETS_ARN"])["SecretString"]
        kept.update(secrets=json.loads(text), until=time.monotonic() + SECRETS_KEPT)
    return kept["secrets"][app]


def ask(path, parameters):
    try:
        response = wechat.get(f"{API_URL}{path}", params=parameters)
        body = json.loads(response.content)
    except (httpx.HTTPError, ValueError) as error:
        # The error's own text can hold the address, and so the secret.
        raise Refused(type(error).__name__) from None
    if response.status_code != 200 or "errcode" in body:
        raise Refused(f"errcode {body.get('errcode')}")
    return body


def claim(login_id, code_id, browser, claim_id):
    """Whether this process, and no other, may exchange the code: decided by one conditional write."""
    try:
        login.dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": login.LOGINS_TABLE,
                        "Key": {"id": {"S": login_id}},
                        "UpdateExpression": "SET claimed_code = :code",
                        "ConditionExpression": "attribute_exists(id) AND browser = :browser AND expires_at > :now"
                        " AND attribute_not_exists(claimed_code)",
                        "ExpressionAttributeValues": {
                            ":code": {"S": code_id},
                            ":browser": {"S": browser},
                            ":now": {"N": str(login.now())},
                        },
                    }
                },
                {
                    "Put": {
                        "TableName": login.LOGINS_TABLE,
                        "Item": {
                            "id": {"S": code_id},
                            "login": {"S": login_id},
                            "outcome": {"S": "claimed"},
                            "claim_id": {"S": claim_id},
                            "expires_at": {"N": str(login.now() + GUARD_LIFETIME)},
                        },
                        "ConditionExpression": "attribute_not_exists(id)",
                    }
                },
            ],
            ClientRequestToken=claim_id,
        )
    except login.dynamodb.exceptions.TransactionCanceledException:
        return False
    return True


def person(code, pending):
    """Who it is, as WeChat says."""
    app, scope = pending["app"]["S"], pending["scope"]["S"]
    parameters = {"appid": app, "secret": app_secret(app), "code": code, "grant_type": "authorization_code"}
    grant = ask("/sns/oauth2/access_token", parameters)
    if grant.get("is_snapshotuser"):
        raise Refused("snapshot page")
    found = {"app": app, "scope": scope, "openid": grant["openid"], "unionid": grant.get("unionid")}
    found.update(access_token=grant["access_token"], refresh_token=grant["refresh_token"], profile=None)
    if scope == "snsapi_userinfo":
        parameters = {"access_token": grant["access_token"], "openid": grant["openid"], "lang": "zh_CN"}
        profile = ask("/sns/userinfo", parameters)
        if profile["openid"] != grant["openid"]:
            raise Refused("another person's profile")
        found["profile"] = {name: profile.get(name) for name in ("nickname", "headimgurl")}
    return found


def finish(token, found, login_id, code_id, claim_id):
    """Stores the session, if the claim is still this process's."""
    key = login.digest("session", token)
    session = {
        "id": {"S": key},
        "sealed": {"B": sealing.seal(token, key, json.dumps(found).encode())},
        "login": {"S": login_id},
        "created_at": {"N": str(login.now())},
        "expires_at": {"N": str(login.now() + login.SESSION_LIFETIME)},
    }
    login.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": login.SESSIONS_TABLE, "Item": session, "ConditionExpression": "attribute_not_exists(id)"}},
            {"Update": outcome(code_id, claim_id, "done")},
        ],
        ClientRequestToken=claim_id + "done",
    )


def outcome(code_id, claim_id, became):
    return {
        "TableName": login.LOGINS_TABLE,
        "Key": {"id": {"S": code_id}},
        "UpdateExpression": "SET outcome = :became",
        "ConditionExpression": "outcome = :claimed AND claim_id = :claim_id",
        "ExpressionAttributeValues": {
            ":became": {"S": became},
            ":claimed": {"S": "claimed"},
            ":claim_id": {"S": claim_id},
        },
    }


def handler(event, context):
    began = time.monotonic()
    # A login that cannot go on begins afresh: nobody learns more, and nobody is stuck.
    afresh = login.redirect(303, f"{login.PUBLIC_URL}/authorize")
    query = event.get("queryStringParameters", {})
    code, state = query.get("code"), query.get("state")
    secret = login.cookie(event, login.BROWSER_COOKIE)
    if not code or len(code) > 512 or not login.is_random(state) or secret is None:
        login.log(context, "incomplete", began)
        return afresh

    login_id, code_id = login.digest("login", state), login.digest("code", code)
    browser = login.digest("browser", secret)
    pending = login.get(login.LOGINS_TABLE, login_id)
    if pending is None or not secrets.compare_digest(pending["browser"]["S"], browser):
        login.log(context, "login_unknown", began)
        return afresh
    claim_id = secrets.token_hex(16)
    if not claim(login_id, code_id, browser, claim_id):
        login.log(context, "claimed_before", began)
        return afresh

    try:
        found = person(code, pending)
    except Refused as refusal:
        login.dynamodb.update_item(**outcome(code_id, claim_id, "failed"))
        login.log(context, "wechat_refused", began, cause=str(refusal))
        return login.answer(503, {"error": "wechat_refused"})
    token = login.random()
    finish(token, found, login_id, code_id, claim_id)
    login.log(context, "logged_in", began)
    return login.redirect(
        303,
        pending["return_to"]["S"],
        login.set_cookie(login.SESSION_COOKIE, token, login.SESSION_LIFETIME),
    )
