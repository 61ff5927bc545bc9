// What the verifiers in JavaScript have in common: what they are asked, and how they answer.
//
// Standard input is one JSON object: the issuer, the audience, and tokens by name. Standard output is one too: for each
// token the `sub` of who is believed, or why it was refused.

import { text } from "node:stream/consumers";

// Hands `verifier` the provider's own document, and what it returns each token.
export async function verifyAll(verifier) {
  const { issuer, audience, tokens } = JSON.parse(await text(process.stdin));
  const discovered = await fetch(`${issuer}/.well-known/openid-configuration`);
  const verify = await verifier(await discovered.json(), audience);
  const answer = {};
  for (const [name, token] of Object.entries(tokens)) {
    try {
      answer[name] = { sub: await verify(token) };
    } catch (error) {
      answer[name] = { refused: `${error.name}: ${error.message}` };
    }
  }
  console.log(JSON.stringify(answer));
}
