import express from "express";
import openid from "express-openid-connect";
import { createServer } from "node:http";

import { announce, clientId, clientSecret, issuer, origin } from "./site.mjs";

const app = express();
app.set("trust proxy", true);
app.use(openid.auth({
  issuerBaseURL: issuer,
  baseURL: origin,
  clientID: clientId,
  clientSecret,
  secret: "of this site alone, and long enough",
  authRequired: false,
  idpLogout: true,
  // The default wants an ID token from the authorization endpoint, which gives codes only.
  authorizationParams: { response_type: "code", scope: "openid profile" },
}));
app.get("/", ({ oidc }, response) => {
  response.json({ ...oidc.idTokenClaims, access_token: oidc.accessToken?.access_token });
});
app.get("/refresh", async ({ oidc }, response) => {
  await oidc.accessToken.refresh();
  response.redirect("/");
});
app.get("/userinfo", async ({ oidc }, response) => response.json(await oidc.fetchUserInfo()));
announce(createServer(app));
