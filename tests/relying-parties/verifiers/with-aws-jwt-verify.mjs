import { JwtVerifier } from "aws-jwt-verify";

import { verifyAll } from "./verifier.mjs";

await verifyAll((provider, audience) => {
  const verifier = JwtVerifier.create({ issuer: provider.issuer, audience, jwksUri: provider.jwks_uri });
  return async (token) => (await verifier.verify(token)).sub;
});
