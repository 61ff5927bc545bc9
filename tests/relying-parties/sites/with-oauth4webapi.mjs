import * as oauth from "oauth4webapi";

import { clientId, clientSecret, issuer, origin, serve } from "./site.mjs";

const client = { client_id: clientId };
const authentication = oauth.ClientSecretBasic(clientSecret);
const discovered = await oauth.discoveryRequest(new URL(issuer), { algorithm: "oidc" });
const server = await oauth.processDiscoveryResponse(new URL(issuer), discovered);
const redirectUri = `${origin}/callback`;

// The signature of the ID token is looked at too, which this library leaves to who wants it.
async function keep(session, response, tokens) {
  await oauth.validateApplicationLevelSignature(server, response);
  session.tokens = tokens;
  session.claims = oauth.getValidatedIdTokenClaims(tokens);
  return "/";
}

serve({
  "/login": async (session) => {
    session.verifier = oauth.generateRandomCodeVerifier();
    session.state = oauth.generateRandomState();
    session.nonce = oauth.generateRandomNonce();
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: "code",
      scope: "openid profile",
      code_challenge: await oauth.calculatePKCECodeChallenge(session.verifier),
      code_challenge_method: "S256",
      state: session.state,
      nonce: session.nonce,
    });
    return url.href;
  },
  "/callback": async (session, url) => {
    const parameters = oauth.validateAuthResponse(server, client, url, session.state);
    const response = await oauth.authorizationCodeGrantRequest(
      server, client, authentication, parameters, redirectUri, session.verifier,
    );
    const expected = { expectedNonce: session.nonce, requireIdToken: true };
    return keep(session, response, await oauth.processAuthorizationCodeResponse(server, client, response, expected));
  },
  "/": ({ claims, tokens }) => ({ ...claims, access_token: tokens.access_token }),
  "/refresh": async (session) => {
    const response = await oauth.refreshTokenGrantRequest(
      server, client, authentication, session.tokens.refresh_token,
    );
    return keep(session, response, await oauth.processRefreshTokenResponse(server, client, response));
  },
  "/userinfo": async ({ claims, tokens }) => {
    const response = await oauth.userInfoRequest(server, client, tokens.access_token);
    return oauth.processUserInfoResponse(server, client, claims.sub, response);
  },
  "/revoke": async ({ tokens }) => {
    const response = await oauth.revocationRequest(server, client, authentication, tokens.refresh_token);
    await oauth.processRevocationResponse(response);
    const renewed = await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token);
    const refused = await oauth.processRefreshTokenResponse(server, client, renewed).then(() => {}, ({ error }) => error);
    return { refused };
  },
  "/logout": ({ tokens }) => {
    const url = new URL(server.end_session_endpoint);
    url.search = new URLSearchParams({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: `${origin}/bye`,
    });
    return url.href;
  },
  "/bye": () => ({}),
});
