// What the functions of this login share: settings, cookies, answers, and DynamoDB's client, made once a process.

import { createHash, randomBytes } from "node:crypto";

import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";

const { env } = process;

export const PUBLIC_URL = env.PUBLIC_URL;
export const ALLOWED_ORIGINS = new Set(env.ALLOWED_ORIGINS.split(","));
export const DEFAULT_RETURN_TO = env.DEFAULT_RETURN_TO;
export const APP_ID = env.OFFICIAL_ACCOUNT_APP_ID;
export const LOGINS_TABLE = env.LOGINS_TABLE;
export const SESSIONS_TABLE = env.SESSIONS_TABLE;

export const LOGIN_LIFETIME = 10 * 60;
export const SESSION_LIFETIME = 7 * 24 * 60 * 60;
export const BROWSER_COOKIE = "__Host-browser";
export const SESSION_COOKIE = "__Host-session";

const ALWAYS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=63072000",
  "x-content-type-options": "nosniff",
};

export const AWS = { maxAttempts: 4, requestHandler: { connectionTimeout: 1000, requestTimeout: 1000 } };
export const dynamodb = new DynamoDBClient(AWS);

/** In seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

export const random = () => randomBytes(32).toString("hex");

export const isRandom = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

/** The key under which something is stored that only its owner is to know. */
export const digest = (kind, secret) => `${kind}#${createHash("sha256").update(secret).digest("hex")}`;

/** The cookie's value, if it is one of ours and there is one of that name. */
export function cookie(event, name) {
  const values = (event.cookies ?? []).filter((text) => text.startsWith(`${name}=`)).map((text) => text.slice(name.length + 1));
  return values.length === 1 && isRandom(values[0]) ? values[0] : undefined;
}

export const setCookie = (name, value, lifetime) => `${name}=${value}; Path=/; Max-Age=${lifetime}; Secure; HttpOnly; SameSite=Lax`;

/** An item that has not expired. */
export async function get(table, key) {
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName: table, Key: { id: { S: key } }, ConsistentRead: true }));
  return Item && Number(Item.expires_at.N) > now() ? Item : undefined;
}

export const redirect = (statusCode, location, ...cookies) => ({ statusCode, headers: { ...ALWAYS, location }, cookies });

export const answer = (statusCode, body, headers = {}) => ({
  statusCode,
  headers: { ...ALWAYS, "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

/** One line a request, without anything that is a secret. */
export function log(context, outcome, began, more = {}) {
  const duration = Math.round(performance.now() - began);
  console.log(JSON.stringify({ outcome, request_id: context.awsRequestId, duration_ms: duration, ...more }));
}
