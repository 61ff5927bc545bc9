// `GET /callback`: claims the login and its code, exchanges the code once, and stores the session.

import { randomBytes, timingSafeEqual } from "node:crypto";

import { TransactionCanceledException, TransactWriteItemsCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

import * as login from "./login.mjs";
import { serve } from "./runtime.mjs";
import { seal } from "./sealing.mjs";

const API_URL = process.env.WECHAT_API_URL;
const SECRETS_KEPT = 15 * 60 * 1000;
const GUARD_LIFETIME = 60 * 60;

const secretsManager = new SecretsManagerClient(login.AWS);
let kept = { until: 0, secrets: {} };

/** WeChat gives no person for this code. */
class Refused extends Error {}

async function appSecret(app) {
  if (performance.now() > kept.until) {
    const { SecretString } = await secretsManager.send(new GetSecretValueCommand({ SecretId: process.env.APP_SECRETS_ARN }));
    kept = { secrets: JSON.parse(SecretString), until: performance.now() + SECRETS_KEPT };
  }
  return kept.secrets[app];
}

async function ask(path, parameters) {
  let status, body;
  try {
    const response = await fetch(`${API_URL}${path}?${new URLSearchParams(parameters)}`, {
      redirect: "error",
      signal: AbortSignal.timeout(5000),
    });
    [status, body] = [response.status, JSON.parse(await response.text())];
  } catch (error) {
    // The error's own text can hold the address, and so the secret.
    throw new Refused(error.name);
  }
  if (status !== 200 || "errcode" in body) {
    throw new Refused(`errcode ${body.errcode}`);
  }
  return body;
}

/** Whether this process, and no other, may exchange the code: decided by one conditional write. */
async function claim(loginId, codeId, browser, claimId) {
  const command = new TransactWriteItemsCommand({
    TransactItems: [
      {
        Update: {
          TableName: login.LOGINS_TABLE,
          Key: { id: { S: loginId } },
          UpdateExpression: "SET claimed_code = :code",
          ConditionExpression:
            "attribute_exists(id) AND browser = :browser AND expires_at > :now AND attribute_not_exists(claimed_code)",
          ExpressionAttributeValues: { ":code": { S: codeId }, ":browser": { S: browser }, ":now": { N: String(login.now()) } },
        },
      },
      {
        Put: {
          TableName: login.LOGINS_TABLE,
          Item: {
            id: { S: codeId },
            login: { S: loginId },
            outcome: { S: "claimed" },
            claim_id: { S: claimId },
            expires_at: { N: String(login.now() + GUARD_LIFETIME) },
          },
          ConditionExpression: "attribute_not_exists(id)",
        },
      },
    ],
    ClientRequestToken: claimId,
  });
  try {
    await login.dynamodb.send(command);
    return true;
  } catch (error) {
    if (error instanceof TransactionCanceledException) {
      return false;
    }
    throw error;
  }
}

/** Who it is, as WeChat says. */
async function person(code, pending) {
  const [app, scope] = [pending.app.S, pending.scope.S];
  const secret = await appSecret(app);
  const grant = await ask("/sns/oauth2/access_token", { appid: app, secret, code, grant_type: "authorization_code" });
  if (grant.is_snapshotuser) {
    throw new Refused("snapshot page");
  }
  const { openid, unionid, access_token, refresh_token } = grant;
  const found = { app, scope, openid, unionid, access_token, refresh_token };
  if (scope === "snsapi_userinfo") {
    const profile = await ask("/sns/userinfo", { access_token, openid, lang: "zh_CN" });
    if (profile.openid !== openid) {
      throw new Refused("another person's profile");
    }
    found.profile = { nickname: profile.nickname, headimgurl: profile.headimgurl };
  }
  return found;
}

/** Stores the session, if the claim is still this process's. */
async function finish(token, found, loginId, codeId, claimId) {
  const key = login.digest("session", token);
  const session = {
    id: { S: key },
    sealed: { B: seal(token, key, JSON.stringify(found)) },
    login: { S: loginId },
    created_at: { N: String(login.now()) },
    expires_at: { N: String(login.now() + login.SESSION_LIFETIME) },
  };
  await login.dynamodb.send(
    new TransactWriteItemsCommand({
      TransactItems: [
        { Put: { TableName: login.SESSIONS_TABLE, Item: session, ConditionExpression: "attribute_not_exists(id)" } },
        { Update: outcome(codeId, claimId, "done") },
      ],
      ClientRequestToken: `${claimId}done`,
    }),
  );
}

const outcome = (codeId, claimId, became) => ({
  TableName: login.LOGINS_TABLE,
  Key: { id: { S: codeId } },
  UpdateExpression: "SET outcome = :became",
  ConditionExpression: "outcome = :claimed AND claim_id = :claim_id",
  ExpressionAttributeValues: { ":became": { S: became }, ":claimed": { S: "claimed" }, ":claim_id": { S: claimId } },
});

const isSame = (one, other) => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

await serve(async (event, context) => {
  const began = performance.now();
  // A login that cannot go on begins afresh: nobody learns more, and nobody is stuck.
  const afresh = login.redirect(303, `${login.PUBLIC_URL}/authorize`);
  const { code, state } = event.queryStringParameters ?? {};
  const secret = login.cookie(event, login.BROWSER_COOKIE);
  if (!code || code.length > 512 || !login.isRandom(state) || !secret) {
    login.log(context, "incomplete", began);
    return afresh;
  }

  const [loginId, codeId, browser] = [login.digest("login", state), login.digest("code", code), login.digest("browser", secret)];
  const pending = await login.get(login.LOGINS_TABLE, loginId);
  if (!pending || !isSame(pending.browser.S, browser)) {
    login.log(context, "login_unknown", began);
    return afresh;
  }
  const claimId = randomBytes(16).toString("hex");
  if (!(await claim(loginId, codeId, browser, claimId))) {
    login.log(context, "claimed_before", began);
    return afresh;
  }

  let found;
  try {
    found = await person(code, pending);
  } catch (error) {
    if (!(error instanceof Refused)) {
      throw error;
    }
    await login.dynamodb.send(new UpdateItemCommand(outcome(codeId, claimId, "failed")));
    login.log(context, "wechat_refused", began, { cause: error.message });
    return login.answer(503, { error: "wechat_refused" });
  }
  const token = login.random();
  await finish(token, found, loginId, codeId, claimId);
  login.log(context, "logged_in", began);
  return login.redirect(303, pending.return_to.S, login.setCookie(login.SESSION_COOKIE, token, login.SESSION_LIFETIME));
});
