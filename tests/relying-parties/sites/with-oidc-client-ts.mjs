import { InMemoryWebStorage, OidcClient, WebStorageStateStore } from "oidc-client-ts";

import { issuer, origin, publicClientId, serve } from "./site.mjs";

// It is written for pages. Here is none, so what it would keep in the browser's storage is kept in memory.
const client = new OidcClient({
  authority: issuer,
  client_id: publicClientId,
  redirect_uri: `${origin}/callback`,
  post_logout_redirect_uri: `${origin}/bye`,
  scope: "openid profile",
  loadUserInfo: true,
  stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
});

serve({
  "/login": async () => (await client.createSigninRequest({})).url,
  "/callback": async (session, { href }) => {
    session.user = await client.processSigninResponse(href);
    return "/";
  },
  "/": ({ user }) => ({ ...user.profile, access_token: user.access_token }),
  "/refresh": async (session) => {
    const { refresh_token, id_token, session_state, scope, profile } = session.user;
    session.user = await client.useRefreshToken({ state: { refresh_token, id_token, session_state, scope, profile } });
    return "/";
  },
  // `loadUserInfo` has merged it into the profile.
  "/userinfo": ({ user }) => user.profile,
  "/revoke": async ({ user }) => {
    const { refresh_token, id_token, session_state, scope, profile } = user;
    await client.revokeToken(refresh_token, "refresh_token");
    const renewed = client.useRefreshToken({ state: { refresh_token, id_token, session_state, scope, profile } });
    return { refused: await renewed.then(() => {}, ({ error }) => error) };
  },
  "/logout": async ({ user }) => (await client.createSignoutRequest({ id_token_hint: user.id_token })).url,
  "/bye": async (_, { href }) => ({ ...(await client.processSignoutResponse(href)) }),
});
