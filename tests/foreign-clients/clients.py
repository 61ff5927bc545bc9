"""Clients of PyPI, each as its own documentation says that it is used. Nothing of theirs is changed.

Reads a request a line from standard input and answers with a line: `{"client": …, "step": …}`, and what came of it.
"""

import json
import os
import re
import sys
from urllib.parse import parse_qs, urlsplit

OFFICIAL_ACCOUNT = ("wx0000000000000aaa", "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa")
WEBSITE = ("wx0000000000000bbb", "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb")
SITE = "https://site.example"


def parameters(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}


def person(tokens, profile):
    """What a client says of who logged in."""
    return {
        "openid": tokens.get("openid"),
        "unionid": profile.get("unionid") or tokens.get("unionid"),
        "nickname": profile.get("nickname"),
    }


class Wechatpy:
    """wechatpy, without a state, as it is used by default."""

    def __init__(self, app, scope, url):
        from wechatpy.oauth import WeChatOAuth

        self.oauth = WeChatOAuth(*app, f"{SITE}/callback?from=wechatpy", scope)
        self.url = url

    def begin(self):
        return getattr(self.oauth, self.url)

    def finish(self, callback):
        self.tokens = self.oauth.fetch_access_token(parameters(callback)["code"])
        assert self.oauth.check_access_token()
        return person(self.tokens, self.oauth.get_user_info())

    def refresh(self):
        return self.oauth.refresh_access_token(self.tokens["refresh_token"])["access_token"]


class PythonWeixin:
    """python-weixin, which sorts the parameters and sends no state."""

    def __init__(self, kind, app, scope):
        from weixin import client

        self.make = getattr(client, kind)
        self.api = self.make(appid=app[0], app_secret=app[1], redirect_uri=f"{SITE}/callback")
        self.scope = scope

    def begin(self):
        return self.api.get_authorize_url(scope=(self.scope,))

    def finish(self, callback):
        self.tokens = self.api.exchange_code_for_access_token(code=parameters(callback)["code"])
        profile = self.make(access_token=self.tokens["access_token"]).user(openid=self.tokens["openid"])
        return person(self.tokens, profile)

    def refresh(self):
        tokens = self.api.exchange_refresh_token_for_access_token(refresh_token=self.tokens["refresh_token"])
        return tokens["access_token"]


class SocialAuth:
    """social-auth-core, with the least of a framework around it."""

    def __init__(self, kind, app, scope):
        from social_core.backends import weixin
        from social_core.storage import BaseStorage, NonceMixin
        from social_core.strategy import BaseStrategy

        class Nonce(NonceMixin):
            """States that are still to come back."""

            open = set()

            @classmethod
            def use(cls, server_url, timestamp, salt):
                cls.open.add((server_url, timestamp, salt))
                return True

            @classmethod
            def consume(cls, server_url, timestamp, salt):
                was_open = (server_url, timestamp, salt) in cls.open
                cls.open.discard((server_url, timestamp, salt))
                return was_open

        class Storage(BaseStorage):
            nonce = Nonce

        class Strategy(BaseStrategy):
            """Settings and a session in memory."""

            def __init__(self):
                self.kept, self.asked = {}, {}
                super().__init__(Storage)

            def get_setting(self, name):
                return {"KEY": app[0], "SECRET": app[1], "SCOPE": [scope], "IGNORE_DEFAULT_SCOPE": True}[
                    re.sub("^SOCIAL_AUTH_(WEIXIN_|WEIXINAPP_)?", "", name)
                ]

            def get_request_data(self, merge=True):
                return self.asked

            request_data = get_request_data

            def build_absolute_uri(self, path=None):
                return f"{SITE}{path}"

            def session_get(self, name, default=None):
                return self.kept.get(name, default)

            def session_set(self, name, value):
                self.kept[name] = value

            def session_pop(self, name):
                return self.kept.pop(name, None)

            def authenticate(self, backend, *_, **more):
                return more["response"]

        self.strategy = Strategy()
        self.backend = getattr(weixin, kind)(self.strategy, redirect_uri="/callback")

    def begin(self):
        return self.backend.auth_url()

    def finish(self, callback):
        self.strategy.asked = parameters(callback)
        self.backend.data = self.strategy.asked
        self.response = self.backend.auth_complete()
        details = self.backend.get_user_details(self.response)
        return {**person(self.response, self.response), "nickname": details["username"]}

    def refresh(self):
        return self.backend.refresh_token(self.response["refresh_token"])["access_token"]


class DjangoAllauth:
    """django-allauth: a site that is nothing but its login."""

    def __init__(self):
        import django
        from django.conf import settings

        if not settings.configured:
            settings.configure(
                SECRET_KEY="of no secret",
                ALLOWED_HOSTS=["site.example"],
                ROOT_URLCONF="allauth.urls",
                DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
                INSTALLED_APPS=[
                    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages",
                    "django.contrib.sessions", "allauth", "allauth.account", "allauth.socialaccount",
                    "allauth.socialaccount.providers.weixin",
                ],
                MIDDLEWARE=[
                    "django.contrib.sessions.middleware.SessionMiddleware",
                    "django.contrib.auth.middleware.AuthenticationMiddleware",
                    "django.contrib.messages.middleware.MessageMiddleware",
                    "allauth.account.middleware.AccountMiddleware",
                ],
                TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
                AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
                SOCIALACCOUNT_PROVIDERS={"weixin": {"APP": {"client_id": WEBSITE[0], "secret": WEBSITE[1]}}},
                LOGIN_REDIRECT_URL="/done",
            )
            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
        from django.test import Client

        self.browser = Client(headers={"host": "site.example"})

    def begin(self):
        return self.browser.post("/weixin/login/", secure=True)["location"]

    def finish(self, callback):
        from allauth.socialaccount.models import SocialAccount

        address = urlsplit(callback)
        answer = self.browser.get(f"{address.path}?{address.query}", secure=True)
        if answer.get("location") != "/done":
            raise RuntimeError(f"no login: {answer.status_code}")
        account = SocialAccount.objects.latest("last_login")
        return person(account.extra_data, account.extra_data)


CLIENTS = {
    "wechatpy, in WeChat": lambda: Wechatpy(OFFICIAL_ACCOUNT, "snsapi_userinfo", "authorize_url"),
    "wechatpy, QR code": lambda: Wechatpy(WEBSITE, "snsapi_login", "qrconnect_url"),
    "python-weixin, in WeChat": lambda: PythonWeixin("WeixinMpAPI", OFFICIAL_ACCOUNT, "snsapi_userinfo"),
    "python-weixin, QR code": lambda: PythonWeixin("WeixinAPI", WEBSITE, "snsapi_login"),
    "social-auth-core, in WeChat": lambda: SocialAuth("WeixinOAuth2APP", OFFICIAL_ACCOUNT, "snsapi_userinfo"),
    "social-auth-core, QR code": lambda: SocialAuth("WeixinOAuth2", WEBSITE, "snsapi_login"),
    "django-allauth, QR code": DjangoAllauth,
}


def main():
    clients = {}
    # What libraries print is not an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            name = asked["client"]
            if asked["step"] == "begin":
                clients[name] = CLIENTS[name]()
            step = getattr(clients[name], asked["step"], None)
            given = [asked["callback"]] if "callback" in asked else []
            answer = {"absent": True} if step is None else {"result": step(*given)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CLIENTS))
        sys.exit()
    os.environ.pop("NO_PROXY", None)
    main()
