"""What the sites in Python have in common: what they are told, and a server. `site.mjs` says what is asked of them."""

import os
from wsgiref.simple_server import WSGIRequestHandler, make_server

import requests

ISSUER, CLIENT_ID, CLIENT_SECRET, ORIGIN = (
    os.environ[name] for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ORIGIN")
)


def discovered():
    """The provider's document, for libraries that want each address by itself."""
    return requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def serve(application):
    """Serves a WSGI application, and tells the driver where."""

    def behind_a_proxy(environ, start_response):
        return application({**environ, "wsgi.url_scheme": "https"}, start_response)

    server = make_server("127.0.0.1", 0, behind_a_proxy, handler_class=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()
