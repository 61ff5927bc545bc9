// What the sites in JavaScript have in common: what they are told, and a server that remembers each browser.
//
// A site stands behind a proxy that takes off the TLS, as most do. The driver is the browser. It opens `/login`, and what
// `/` says then is who is logged in; `/refresh`, `/userinfo`, `/revoke` and `/logout` are there where the library can do it.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

export const {
  ISSUER: issuer,
  CLIENT_ID: clientId,
  CLIENT_SECRET: clientSecret,
  PUBLIC_CLIENT_ID: publicClientId,
  NATIVE_CLIENT_ID: nativeClientId,
  ORIGIN: origin,
} = process.env;

// Tells the driver where the site is, once it is there.
export function announce(server) {
  server.on("listening", () => console.log(server.address().port));
  server.listen(0, "127.0.0.1");
}

// A route gets the browser's session and the address; it returns where the browser goes, or what it is told.
export function serve(routes) {
  const sessions = new Map();
  announce(createServer(async (request, response) => {
    const known = /(?:^|; )site=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const id = sessions.has(known) ? known : randomUUID();
    if (id !== known) {
      sessions.set(id, {});
      response.setHeader("set-cookie", `site=${id}; Path=/; Secure; HttpOnly; SameSite=Lax`);
    }
    const url = new URL(request.url, origin);
    try {
      const answer = await routes[url.pathname](sessions.get(id), url);
      if (typeof answer === "string") {
        response.writeHead(302, { location: answer }).end();
      } else {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
      }
    } catch (error) {
      response.writeHead(500).end(`${error.stack}\n${error.cause ? JSON.stringify(error.cause) : ""}`);
    }
  }));
}
