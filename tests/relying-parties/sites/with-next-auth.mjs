// next-auth 4, by its handler for API routes. Next.js is not here; `pages/api/auth/[...nextauth].js` would pass on what
// Express does here.

import express from "express";
import { createServer } from "node:http";

import { announce, clientId, clientSecret, issuer, origin } from "./site.mjs";

process.env.NEXTAUTH_URL = origin;
const { default: NextAuth } = (await import("next-auth")).default;

const options = {
  secret: "of this site alone",
  providers: [{
    id: "wechat",
    name: "WeChat",
    type: "oauth",
    wellKnown: `${issuer}/.well-known/openid-configuration`,
    clientId,
    clientSecret,
    authorization: { params: { scope: "openid profile" } },
    idToken: true,
    checks: ["pkce", "state"],
    profile: ({ sub, name, picture }) => ({ id: sub, name, image: picture }),
  }],
  callbacks: {
    // `profile` is what the ID token says.
    jwt: ({ token, account, profile }) => (account ? { ...token, profile, accessToken: account.access_token } : token),
    session: ({ token }) => ({ ...token.profile, access_token: token.accessToken }),
  },
};

// As Next.js passes a request to `api/auth/[...nextauth]`.
function handle({ method = "GET", path, query = {}, body, cookies, headers }, response) {
  return NextAuth({ method, headers, cookies, body, query: { ...query, nextauth: path.split("/") } }, response, options);
}

function cookiesOf({ headers }) {
  const pairs = (headers.cookie ?? "").split("; ").map((pair) => pair.split(/=(.*)/s, 2));
  return Object.fromEntries(pairs.map(([name, value]) => [name, decodeURIComponent(value ?? "")]));
}

const app = express();

// What `signIn("wechat")` of next-auth/react does on a page: it fetches a token against forgery, and posts it.
app.get("/login", async (request, response) => {
  const { headers } = request;
  const cookies = cookiesOf(request);
  const asked = {
    told: {},
    getHeader(name) { return this.told[name.toLowerCase()]; },
    setHeader(name, value) { this.told[name.toLowerCase()] = value; },
    status() { return this; },
    json(body) { this.body = body; },
    send(body) { this.body = body; },
    end() {},
  };
  await handle({ path: "csrf", cookies, headers }, asked);
  const set = [asked.told["set-cookie"] ?? []].flat();
  const fresh = cookiesOf({ headers: { cookie: set.map((cookie) => cookie.split(";")[0]).join("; ") } });
  response.setHeader("set-cookie", set);
  const body = { csrfToken: asked.body.csrfToken, callbackUrl: `${origin}/` };
  await handle({ method: "POST", path: "signin/wechat", body, cookies: { ...cookies, ...fresh }, headers }, response);
});
app.get("/", (request, response) =>
  handle({ path: "session", cookies: cookiesOf(request), headers: request.headers }, response));
app.get("/api/auth/*path", (request, response) =>
  handle({
    path: request.params.path.join("/"),
    query: request.query,
    cookies: cookiesOf(request),
    headers: request.headers,
  }, response));
announce(createServer(app));
