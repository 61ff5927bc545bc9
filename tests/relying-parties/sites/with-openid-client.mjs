import * as client from "openid-client";

import { clientId, clientSecret, issuer, origin, serve } from "./site.mjs";

const config = await client.discovery(new URL(issuer), clientId, clientSecret);

serve({
  "/login": async (session) => {
    session.checks = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
      idTokenExpected: true,
    };
    return client.buildAuthorizationUrl(config, {
      redirect_uri: `${origin}/callback`,
      scope: "openid profile",
      code_challenge: await client.calculatePKCECodeChallenge(session.checks.pkceCodeVerifier),
      code_challenge_method: "S256",
      state: session.checks.expectedState,
      nonce: session.checks.expectedNonce,
    }).href;
  },
  "/callback": async (session, url) => {
    session.tokens = await client.authorizationCodeGrant(config, url, session.checks);
    session.claims = session.tokens.claims();
    return "/";
  },
  "/": ({ claims, tokens }) => ({ ...claims, access_token: tokens.access_token }),
  "/refresh": async (session) => {
    session.tokens = await client.refreshTokenGrant(config, session.tokens.refresh_token);
    session.claims = session.tokens.claims();
    return "/";
  },
  "/userinfo": (session) => client.fetchUserInfo(config, session.tokens.access_token, session.claims.sub),
  "/revoke": async (session) => {
    const token = session.tokens.refresh_token;
    await client.tokenRevocation(config, token);
    const refused = await client.refreshTokenGrant(config, token).then(() => undefined, ({ error }) => error);
    return { refused };
  },
  "/logout": (session) =>
    client.buildEndSessionUrl(config, {
      post_logout_redirect_uri: `${origin}/bye`,
      id_token_hint: session.tokens.id_token,
    }).href,
  "/bye": () => ({}),
});
