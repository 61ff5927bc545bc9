// oidc-client-ts on a page, which has no server but for its files; what is done is done in the browser.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import { announce, issuer, publicClientId } from "./site.mjs";

const read = (url) => readFileSync(fileURLToPath(url));
const page = read(new URL("page.html", import.meta.url));
const library = read(new URL("../browser/oidc-client-ts.min.js", import.meta.resolve("oidc-client-ts")));
const files = {
  "/oidc-client-ts.min.js": ["text/javascript", library],
  "/settings": ["application/json", JSON.stringify({ authority: issuer, client_id: publicClientId })],
};

announce(createServer((request, response) => {
  const [type, content] = files[request.url] ?? ["text/html", page];
  response.writeHead(200, { "content-type": type }).end(content);
}));
