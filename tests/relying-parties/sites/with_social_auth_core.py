"""social-auth-core, by its application for Django, in a site of one file."""

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.shortcuts import redirect
from django.urls import include, path

from website import CLIENT_ID, CLIENT_SECRET, ISSUER, serve

settings.configure(
    SECRET_KEY="of this site alone",
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "social_django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_COOKIE_SECURE=True,
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["social_core.backends.open_id_connect.OpenIdConnectAuth"],
    LOGIN_REDIRECT_URL="/",
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT=ISSUER,
    SOCIAL_AUTH_OIDC_KEY=CLIENT_ID,
    SOCIAL_AUTH_OIDC_SECRET=CLIENT_SECRET,
    SOCIAL_AUTH_OIDC_USE_PKCE=True,
    # There is no `preferred_username`: nicknames are neither unique nor lasting.
    SOCIAL_AUTH_OIDC_USERNAME_KEY="sub",
)
django.setup()

from social_core.actions import do_auth  # noqa: E402, they need the settings
from social_django.utils import load_strategy, psa  # noqa: E402


@psa("social:complete")
def login(request, backend):
    """What a form of the site leads to."""
    return do_auth(request.backend)


def association(request):
    return request.user.social_auth.get(provider="oidc")


def front_page(request):
    known = association(request)
    name = request.user.get_full_name()
    return JsonResponse({"sub": known.uid, "name": name, "access_token": known.access_token})


def refresh(request):
    association(request).refresh_token(load_strategy(request))
    return redirect("/")


urlpatterns = [
    path("", front_page),
    path("login", login, {"backend": "oidc"}),
    path("", include("social_django.urls", namespace="social")),
    path("refresh", refresh),
    # What it knows of a person came from there.
    path("userinfo", front_page),
]
call_command("migrate", verbosity=0)
serve(get_wsgi_application())
