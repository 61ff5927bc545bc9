import { createRemoteJWKSet, jwtVerify } from "jose";

import { verifyAll } from "./verifier.mjs";

await verifyAll((provider, audience) => {
  const keys = createRemoteJWKSet(new URL(provider.jwks_uri));
  const algorithms = provider.id_token_signing_alg_values_supported;
  return async (token) => {
    const { payload } = await jwtVerify(token, keys, { issuer: provider.issuer, audience, algorithms });
    return payload.sub;
  };
});
