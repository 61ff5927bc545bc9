// AppAuth, by its handler for Node: an app on a computer, which opens the person's browser and takes the answer at a
// loopback address (RFC 8252). `/login` stands for a button in it; what it opens goes to the browser that pressed it.

import appauth from "@openid/appauth";
import flags from "@openid/appauth/built/flags.js";
import support from "@openid/appauth/built/node_support/index.js";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { issuer, nativeClientId as client_id, serve } from "./site.mjs";

const run = promisify(execFile);
// What opens a browser on Linux tells the address here.
const directory = mkdtempSync(join(tmpdir(), "appauth-"));
const opened = join(directory, "opened");
await run("mkfifo", [opened]);
writeFileSync(join(directory, "xdg-open"), `#!/bin/sh\nprintf %s "$1" >${opened}\n`, { mode: 0o755 });
process.env.PATH = `${directory}:${process.env.PATH}`;

// The standard output is the driver's.
flags.setFlag("IS_LOG", false);

const requestor = new support.NodeRequestor();
const tokens = new appauth.BaseTokenRequestHandler(requestor);
const provider = await appauth.AuthorizationServiceConfiguration.fetchFromIssuer(issuer, requestor);
const { jwks_uri } = await requestor.xhr({ url: `${issuer}/.well-known/openid-configuration`, dataType: "json" });
const keys = createRemoteJWKSet(new URL(jwks_uri));

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function ask(request) {
  return tokens.performTokenRequest(provider, new appauth.TokenRequest({ client_id, ...request }));
}

// One person is at this computer.
let begun;
let loggedIn;

// The library is one for OAuth and leaves the ID token to who wants it.
async function keep(answer) {
  const { payload } = await jwtVerify(answer.idToken, keys, { issuer, audience: client_id });
  loggedIn = { answer, payload };
}

async function begin() {
  const port = await freePort();
  const redirect_uri = `http://127.0.0.1:${port}/callback`;
  const request = new appauth.AuthorizationRequest(
    { client_id, redirect_uri, scope: "openid profile", response_type: "code" },
    new support.NodeCrypto(),
  );
  const handler = new support.NodeBasedHandler(port);
  const notifier = new appauth.AuthorizationNotifier();
  handler.setAuthorizationNotifier(notifier);
  begun = new Promise((resolve, reject) => {
    notifier.setAuthorizationListener((_, answer, error) => {
      if (error) return reject(error);
      const { code_verifier } = request.internal;
      const { code } = answer;
      ask({ redirect_uri, grant_type: appauth.GRANT_TYPE_AUTHORIZATION_CODE, code, extras: { code_verifier } })
        .then(keep)
        .then(resolve, reject);
    });
  });
  handler.performAuthorizationRequest(provider, request);
}

serve({
  "/login": async () => {
    const { stdout } = (await Promise.all([run("cat", [opened]), begin()]))[0];
    return stdout;
  },
  "/": async () => {
    await begun;
    return { ...loggedIn.payload, access_token: loggedIn.answer.accessToken };
  },
  "/refresh": async () => {
    const refresh_token = loggedIn.answer.refreshToken;
    await keep(await ask({ redirect_uri: "", grant_type: appauth.GRANT_TYPE_REFRESH_TOKEN, refresh_token }));
    return "/";
  },
  "/userinfo": () => requestor.xhr({
    url: provider.userInfoEndpoint,
    dataType: "json",
    headers: { authorization: `Bearer ${loggedIn.answer.accessToken}` },
  }),
  "/revoke": async () => {
    const token = loggedIn.answer.refreshToken;
    const request = new appauth.RevokeTokenRequest({ token, token_type_hint: "refresh_token", client_id });
    await tokens.performRevokeTokenRequest(provider, request);
    // Of a refusal the library tells the status and no more.
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: token, client_id });
    const { error } = await (await fetch(provider.tokenEndpoint, { method: "POST", body })).json();
    return { refused: error };
  },
});
