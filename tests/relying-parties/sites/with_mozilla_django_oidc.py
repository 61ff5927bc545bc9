"""mozilla-django-oidc, in a site of one file. WeChat has no e-mail, so a person is found and made by `sub`."""

from urllib.parse import urlencode

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.shortcuts import redirect
from django.urls import path

from website import CLIENT_ID, CLIENT_SECRET, ORIGIN, discovered, serve

provider = discovered()
settings.configure(
    SECRET_KEY="of this site alone",
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "mozilla_django_oidc"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_COOKIE_SECURE=True,
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "mozilla_django_oidc.middleware.SessionRefresh",
    ],
    AUTHENTICATION_BACKENDS=["__main__.Backend"],
    LOGIN_REDIRECT_URL="/",
    LOGOUT_REDIRECT_URL="/bye",
    OIDC_RP_CLIENT_ID=CLIENT_ID,
    OIDC_RP_CLIENT_SECRET=CLIENT_SECRET,
    # The defaults are `openid email` and HS256.
    OIDC_RP_SCOPES="openid profile",
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_OP_AUTHORIZATION_ENDPOINT=provider["authorization_endpoint"],
    OIDC_OP_TOKEN_ENDPOINT=provider["token_endpoint"],
    OIDC_OP_USER_ENDPOINT=provider["userinfo_endpoint"],
    OIDC_OP_JWKS_ENDPOINT=provider["jwks_uri"],
    OIDC_USE_PKCE=True,
    OIDC_STORE_ACCESS_TOKEN=True,
    OIDC_STORE_ID_TOKEN=True,
    ALLOW_LOGOUT_GET_METHOD=True,
    OIDC_OP_LOGOUT_URL_METHOD="__main__.logout_url",
)
django.setup()

from mozilla_django_oidc import auth, views  # noqa: E402, they need the settings


class Backend(auth.OIDCAuthenticationBackend):
    def verify_claims(self, claims):
        return "sub" in claims

    def filter_users_by_claims(self, claims):
        return self.UserModel.objects.filter(username=claims["sub"])

    def create_user(self, claims):
        return self.update_user(self.UserModel(username=claims["sub"]), claims)

    def update_user(self, user, claims):
        user.first_name = claims.get("name", "")
        user.save()
        return user


def logout_url(request):
    hint = {"id_token_hint": request.session["oidc_id_token"], "post_logout_redirect_uri": f"{ORIGIN}/bye"}
    return f"{provider['end_session_endpoint']}?{urlencode(hint)}"


def front_page(request):
    user, token = request.user, request.session["oidc_access_token"]
    return JsonResponse({"sub": user.username, "name": user.first_name, "access_token": token})


def refresh(request):
    """As if the time had come: the middleware asks with `prompt=none`."""
    request.session["oidc_id_token_expiration"] = 0
    return redirect("/")


urlpatterns = [
    path("", front_page),
    path("login", views.OIDCAuthenticationRequestView.as_view(), name="oidc_authentication_init"),
    path("callback", views.OIDCAuthenticationCallbackView.as_view(), name="oidc_authentication_callback"),
    path("logout", views.OIDCLogoutView.as_view(), name="oidc_logout"),
    path("refresh", refresh),
    # What it knows of a person came from there.
    path("userinfo", front_page),
    path("bye", lambda _: JsonResponse({})),
]
call_command("migrate", verbosity=0)
serve(get_wsgi_application())
