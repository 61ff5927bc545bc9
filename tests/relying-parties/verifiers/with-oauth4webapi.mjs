import * as oauth from "oauth4webapi";

import { verifyAll } from "./verifier.mjs";

// As a resource server: it finds the provider by itself, and takes what RFC 9068 calls an access token.
await verifyAll(async (provider, audience) => {
  const issuer = new URL(provider.issuer);
  const discovered = await oauth.discoveryRequest(issuer, { algorithm: "oidc" });
  const server = await oauth.processDiscoveryResponse(issuer, discovered);
  return async (token) => {
    const request = new Request("https://api.example.com/", { headers: { authorization: `Bearer ${token}` } });
    return (await oauth.validateJwtAccessToken(server, request, audience)).sub;
  };
});
