// `GET /authorize`: stores a login that belongs to this browser, and sends it to WeChat.

import { PutItemCommand } from "@aws-sdk/client-dynamodb";

import * as login from "./login.mjs";
import { serve } from "./runtime.mjs";

const OPEN_URL = process.env.WECHAT_OPEN_URL;
const SCOPES = ["snsapi_base", "snsapi_userinfo"];

/** Whether a browser that says so opens a page: no image or frame of another site begins a login. */
const isPageLoad = (headers) =>
  (headers["sec-fetch-dest"] ?? "document") === "document" && (headers["sec-fetch-mode"] ?? "navigate") === "navigate";

const mayEndAt = (address) => URL.canParse(address) && login.ALLOWED_ORIGINS.has(new URL(address).origin) && new URL(address).href === address;

await serve(async (event, context) => {
  const began = performance.now();
  if (!isPageLoad(event.headers)) {
    login.log(context, "not_a_page", began);
    return login.answer(403, { error: "not_a_page" });
  }
  const { scope = "snsapi_base", return_to: returnTo = login.DEFAULT_RETURN_TO } = event.queryStringParameters ?? {};
  if (!SCOPES.includes(scope) || !(returnTo === login.DEFAULT_RETURN_TO || mayEndAt(returnTo))) {
    login.log(context, "invalid_request", began);
    return login.answer(400, { error: "invalid_request" });
  }

  // One secret a browser, so that two tabs can log in side by side.
  const browser = login.cookie(event, login.BROWSER_COOKIE) ?? login.random();
  const state = login.random();
  await login.dynamodb.send(
    new PutItemCommand({
      TableName: login.LOGINS_TABLE,
      Item: {
        id: { S: login.digest("login", state) },
        browser: { S: login.digest("browser", browser) },
        app: { S: login.APP_ID },
        scope: { S: scope },
        return_to: { S: returnTo },
        expires_at: { N: String(login.now() + login.LOGIN_LIFETIME) },
      },
      ConditionExpression: "attribute_not_exists(id)",
    }),
  );
  const parameters = new URLSearchParams({
    appid: login.APP_ID,
    redirect_uri: `${login.PUBLIC_URL}/callback`,
    response_type: "code",
    scope,
    state,
  });
  login.log(context, "login_begun", began);
  return login.redirect(
    302,
    `${OPEN_URL}/connect/oauth2/authorize?${parameters}#wechat_redirect`,
    login.setCookie(login.BROWSER_COOKIE, browser, login.SESSION_LIFETIME),
  );
});
