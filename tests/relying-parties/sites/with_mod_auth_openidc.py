"""mod_auth_openidc, of Debian: Apache logs people in, and tells the application behind it by headers."""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, redirect, request

from website import CLIENT_ID, CLIENT_SECRET, ISSUER, ORIGIN, Quiet, make_server

# Apache does not stay root.
ACCOUNT = "User www-data\nGroup www-data"
HOOK = f"{ORIGIN}/callback"
app = Flask(__name__)


@app.get("/")
@app.get("/userinfo")
def front_page():
    told = {name: value.encode("latin-1").decode() for name, value in request.headers.items()}
    return {
        "sub": told["Oidc-Claim-Sub"],
        "name": told["Oidc-Claim-Name"],
        "access_token": told["Oidc-Access-Token"],
    }


@app.get("/refresh")
def refresh():
    token = request.headers["Oidc-Access-Token"]
    return redirect(f"{HOOK}?{urlencode({'refresh': f'{ORIGIN}/', 'access_token': token})}")


@app.get("/bye")
def bye():
    return {}


behind = make_server("127.0.0.1", 0, app, handler_class=Quiet)
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
modules = "mpm_prefork authn_core authz_core authz_user alias proxy proxy_http headers auth_openidc".split()
directory = Path(tempfile.mkdtemp())
(directory / "apache.conf").write_text(
    "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    + f"""
ServerName {ORIGIN}
Listen 127.0.0.1:{port}
PidFile {directory}/pid
DefaultRuntimeDir {directory}
{ACCOUNT if os.geteuid() == 0 else ""}
ErrorLog /dev/stderr
OIDCProviderMetadataURL {ISSUER}/.well-known/openid-configuration
OIDCClientID {CLIENT_ID}
OIDCClientSecret {CLIENT_SECRET}
OIDCRedirectURI {HOOK}
OIDCCryptoPassphrase "of this site alone"
OIDCScope "openid profile"
OIDCPKCEMethod S256
OIDCCABundlePath {os.environ["SSL_CERT_FILE"]}
OIDCXForwardedHeaders X-Forwarded-Proto
RequestHeader set X-Forwarded-Proto https early
Redirect /login {HOOK}?{urlencode({"iss": ISSUER, "target_link_uri": f"{ORIGIN}/"})}
Redirect /logout {HOOK}?{urlencode({"logout": f"{ORIGIN}/bye"})}
ProxyPass /callback !
ProxyPass /login !
ProxyPass /logout !
ProxyPass / http://127.0.0.1:{behind.server_port}/
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<LocationMatch ^/(login|logout|bye)$>
  Require all granted
</LocationMatch>
"""
)
apache = subprocess.Popen(["/usr/sbin/apache2", "-X", "-f", directory / "apache.conf"], stdin=subprocess.DEVNULL)
# Apache outlives this script unless somebody sees that the driver has hung up.
hung_up = ["sh", "-c", 'cat; kill "$1"', "sh", str(apache.pid)]
subprocess.Popen(hung_up, stdout=subprocess.DEVNULL)
while True:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        break
    except ConnectionRefusedError:
        # It says nothing when it is there, and why on the standard error when it is not.
        if apache.poll() is not None:
            raise SystemExit("Apache has ended") from None
        time.sleep(0.02)
print(port, flush=True)
behind.serve_forever()
