// oidc-client-ts on a page, which has no server but for its files; what is done is done in the browser.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { announce, issuer, publicClientId } from "./site.mjs";

const read = (path) => readFileSync(new URL(path, import.meta.url));
const page = read("page.html");
const library = read("../node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js");
const files = {
  "/oidc-client-ts.min.js": ["text/javascript", library],
  "/settings": ["application/json", JSON.stringify({ authority: issuer, client_id: publicClientId })],
};

announce(createServer((request, response) => {
  const [type, content] = files[request.url] ?? ["text/html", page];
  response.writeHead(200, { "content-type": type }).end(content);
}));
