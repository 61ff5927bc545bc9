// `GET /userinfo`: who is logged in, for a page of an allowed origin.

import * as login from "./login.mjs";
import { serve } from "./runtime.mjs";
import { unseal } from "./sealing.mjs";

async function session(token) {
  const key = login.digest("session", token);
  const item = await login.get(login.SESSIONS_TABLE, key);
  const text = item && unseal(token, key, Buffer.from(item.sealed.B));
  return text ? { ...JSON.parse(text), expiresAt: Number(item.expires_at.N) } : undefined;
}

await serve(async (event, context) => {
  const began = performance.now();
  const { origin } = event.headers;
  if (origin !== undefined && !login.ALLOWED_ORIGINS.has(origin)) {
    login.log(context, "foreign_origin", began);
    return login.answer(403, { error: "foreign_origin" }, { vary: "origin" });
  }
  const allowed = { vary: "origin" };
  if (origin !== undefined) {
    Object.assign(allowed, { "access-control-allow-origin": origin, "access-control-allow-credentials": "true" });
  }

  const token = login.cookie(event, login.SESSION_COOKIE);
  const found = token && (await session(token));
  if (!found) {
    login.log(context, "not_logged_in", began);
    return login.answer(401, { error: "not_logged_in", authorize_url: `${login.PUBLIC_URL}/authorize` }, allowed);
  }
  const { openid, unionid, app: appid, scope, expiresAt: expires_at, profile } = found;
  login.log(context, "shown", began);
  return login.answer(200, { openid, unionid, appid, scope, expires_at, ...profile }, allowed);
});
