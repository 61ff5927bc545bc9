import { Auth, skipCSRFCheck } from "@auth/core";
import { createServer } from "node:http";

import { announce, clientId, clientSecret, issuer, origin } from "./site.mjs";

const config = {
  basePath: "/auth",
  secret: "of this site alone",
  trustHost: true,
  providers: [{ id: "wechat", name: "WeChat", type: "oidc", issuer, clientId, clientSecret }],
  callbacks: {
    // `profile` is what the ID token says.
    jwt: ({ token, account, profile }) => (account ? { ...token, profile, accessToken: account.access_token } : token),
    session: ({ token }) => ({ ...token.profile, access_token: token.accessToken }),
  },
};

// What frameworks do in their own `signIn`, on the server.
const signIn = () =>
  Auth(new Request(`${origin}/auth/signin/wechat`, { method: "POST", body: new URLSearchParams({ callbackUrl: "/" }) }), {
    ...config,
    skipCSRFCheck,
  });

const routes = {
  "/login": signIn,
  "/": ({ headers }) => Auth(new Request(`${origin}/auth/session`, { headers: { cookie: headers.cookie ?? "" } }), config),
  "/auth/callback/wechat": ({ url, headers }) =>
    Auth(new Request(`${origin}${url}`, { headers: { cookie: headers.cookie ?? "" } }), config),
};

announce(createServer(async (request, response) => {
  const answer = await routes[new URL(request.url, origin).pathname](request);
  response.writeHead(answer.status, [...answer.headers].flat());
  response.end(await answer.text());
}));
