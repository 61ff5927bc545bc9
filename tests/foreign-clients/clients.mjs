// Clients of npm, each as its own documentation says that it is used. Nothing of theirs is changed.
//
// Reads a request a line from standard input and answers with a line: `{"client": …, "step": …}`, and what came of it.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";

import { Auth } from "@auth/core";
import authWeChat from "@auth/core/providers/wechat";
import createConnector from "@logto/connector-wechat-web";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

const require = createRequire(import.meta.url);
const OAuth = require("co-wechat-oauth");
const { OfficialAccount } = require("node-easywechat");
const PassportWeChat = require("passport-wechat");
const { AccessTokenApi, ApiConfig, ApiConfigKit, AxiosHttpKit, HttpKit, Lang, ScopeEnum, SnsAccessTokenApi } = require("tnwx");

const OFFICIAL_ACCOUNT = { id: "wx0000000000000aaa", secret: "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa" };
const WEBSITE = { id: "wx0000000000000bbb", secret: "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb" };
const SITE = "https://site.example";

const codeOf = (callback) => new URL(callback).searchParams.get("code");

// A browser's cookies, for clients that are handlers of requests.
class Jar {
  #cookies = new Map();

  async visit(handler, address, options = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { cookie, origin: SITE, ...options.headers };
    const answer = await handler(new Request(address, { redirect: "manual", ...options, headers }));
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      value === "" || /max-age=0/i.test(line) ? this.#cookies.delete(name) : this.#cookies.set(name, value);
    }
    return answer;
  }
}

const form = (fields) => ({
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams(fields).toString(),
});

// tnwx, whose link carries no state unless it is given one.
const tnwx = () => {
  HttpKit.setHttpDelegate = new AxiosHttpKit();
  ApiConfigKit.putApiConfig(new ApiConfig(OFFICIAL_ACCOUNT.id, OFFICIAL_ACCOUNT.secret, "token"));
  ApiConfigKit.setCurrentAppId(OFFICIAL_ACCOUNT.id);
  let tokens;
  return {
    begin: () => SnsAccessTokenApi.getAuthorizeUrl(`${SITE}/callback`, ScopeEnum.SNSAPI_USERINFO),
    async finish(callback) {
      tokens = await SnsAccessTokenApi.getSnsAccessToken(codeOf(callback));
      if (tokens.errcode) throw new Error(tokens.errmsg);
      const profile = await SnsAccessTokenApi.getUserInfo(tokens.access_token, tokens.openid, Lang.ZH_CN);
      return { ...profile, openid: tokens.openid };
    },
    refresh: async () => (await SnsAccessTokenApi.refreshAccessToken(tokens.refresh_token)).access_token,
  };
};

// co-wechat-oauth, which sends an empty state by default.
const coWechatOauth = (app, link, scope) => () => {
  const oauth = new OAuth(app.id, app.secret);
  let tokens;
  return {
    begin: () => oauth[link](`${SITE}/callback`, undefined, scope),
    async finish(callback) {
      ({ data: tokens } = await oauth.getAccessToken(codeOf(callback)));
      return { ...(await oauth.getUser({ openid: tokens.openid })), openid: tokens.openid };
    },
    refresh: async () => (await oauth.refreshAccessToken(tokens.refresh_token)).data.access_token,
  };
};

// passport-wechat, and with it wechat-oauth.
const passport = (app, client, scope) => () => {
  const options = { appID: app.id, appSecret: app.secret, client, scope, callbackURL: `${SITE}/callback`, state: "abc" };
  const authenticate = (query) =>
    new Promise((resolve, reject) => {
      const verify = (accessToken, refreshToken, profile, expires, done) => done(null, profile);
      const strategy = Object.create(new PassportWeChat.Strategy({ ...options }, verify));
      strategy.redirect = resolve;
      strategy.success = resolve;
      strategy.fail = (info) => reject(new Error(`refused: ${info}`));
      strategy.error = reject;
      strategy.authenticate({ _passport: {}, query, url: "/callback", get: () => "site.example", protocol: "https" }, {});
    });
  return {
    begin: () => authenticate({}),
    finish: (callback) => authenticate(Object.fromEntries(new URL(callback).searchParams)),
  };
};

// node-easywechat, and with it node-socialite, which sends `connect_redirect` and no state.
const easywechat = () => {
  const config = {
    app_id: OFFICIAL_ACCOUNT.id,
    secret: OFFICIAL_ACCOUNT.secret,
    oauth: { scope: "snsapi_userinfo", scopes: ["snsapi_userinfo"], redirect: `${SITE}/callback`, redirect_url: `${SITE}/callback` },
  };
  const oauth = new OfficialAccount(config).getOAuth();
  return {
    begin: () => oauth.redirect(`${SITE}/callback`),
    async finish(callback) {
      const user = await oauth.userFromCode(codeOf(callback));
      return { openid: user.getId(), nickname: user.getNickname(), unionid: user.getRaw().unionid };
    },
  };
};

// Auth.js: the whole of its core, with a browser's cookies.
const authJs = (app, platformType) => () => {
  let profile;
  const provider = authWeChat({
    clientId: app.id,
    clientSecret: app.secret,
    platformType,
    profile(told) {
      profile = told;
      return { id: told.unionid, name: told.nickname };
    },
  });
  const config = { providers: [provider], secret: "of no secret at all, but long", trustHost: true, basePath: "/auth", logger: { error() {} } };
  const [jar, handler] = [new Jar(), (request) => Auth(request, config)];
  return {
    async begin() {
      const { csrfToken } = await (await jar.visit(handler, `${SITE}/auth/csrf`)).json();
      const answer = await jar.visit(handler, `${SITE}/auth/signin/wechat`, form({ csrfToken, callbackUrl: `${SITE}/done` }));
      return answer.headers.get("location");
    },
    async finish(callback) {
      const answer = await jar.visit(handler, callback);
      const location = answer.headers.get("location");
      if (location !== `${SITE}/done`) throw new Error(`no login: ${location}`);
      const { user } = await (await jar.visit(handler, `${SITE}/auth/session`)).json();
      if (user.name !== profile.nickname) throw new Error("another person's session");
      return profile;
    },
  };
};

// Better Auth, with its tables in memory.
const better = () => {
  const database = { user: [], session: [], account: [], verification: [] };
  const auth = betterAuth({
    baseURL: SITE,
    secret: "of no secret at all, but long enough",
    database: memoryAdapter(database),
    socialProviders: { wechat: { clientId: WEBSITE.id, clientSecret: WEBSITE.secret } },
    logger: { disabled: true },
    telemetry: { enabled: false },
  });
  const [jar, handler] = [new Jar(), (request) => auth.handler(request)];
  return {
    async begin() {
      const body = JSON.stringify({ provider: "wechat", callbackURL: "/done" });
      const options = { method: "POST", headers: { "content-type": "application/json" }, body };
      return (await (await jar.visit(handler, `${SITE}/api/auth/sign-in/social`, options)).json()).url;
    },
    async finish(callback) {
      const answer = await jar.visit(handler, callback);
      const location = answer.headers.get("location");
      if (!location?.endsWith("/done")) throw new Error(`no login: ${answer.status} ${location}`);
      const { user } = await (await jar.visit(handler, `${SITE}/api/auth/get-session`)).json();
      return { nickname: user.name, unionid: database.account[0].accountId };
    },
  };
};

// Logto's connector, without Logto.
const logto = async () => {
  const connector = await createConnector.default?.({ getConfig }) ?? await createConnector({ getConfig });
  function getConfig() {
    return Promise.resolve({ appId: WEBSITE.id, appSecret: WEBSITE.secret });
  }
  return {
    begin: () => connector.getAuthorizationUri({ state: "abc", redirectUri: `${SITE}/callback` }, async () => {}),
    async finish(callback) {
      const told = await connector.getUserInfo({ code: codeOf(callback) }, async () => ({}));
      return { nickname: told.name, unionid: told.id, openid: told.rawData.openid };
    },
  };
};

const CLIENTS = {
  "tnwx, in WeChat": tnwx,
  "co-wechat-oauth, in WeChat": coWechatOauth(OFFICIAL_ACCOUNT, "getAuthorizeURL", "snsapi_userinfo"),
  "co-wechat-oauth, QR code": coWechatOauth(WEBSITE, "getAuthorizeURLForWebsite"),
  "passport-wechat, in WeChat": passport(OFFICIAL_ACCOUNT, "wechat", "snsapi_userinfo"),
  "passport-wechat, QR code": passport(WEBSITE, "web", "snsapi_login"),
  "node-easywechat, in WeChat": easywechat,
  "@auth/core, in WeChat": authJs(OFFICIAL_ACCOUNT, "OfficialAccount"),
  "@auth/core, QR code": authJs(WEBSITE, "WebsiteApp"),
  "better-auth, QR code": better,
  "@logto/connector-wechat-web, QR code": logto,
};

if (process.argv[2] === "--list") {
  console.log(Object.keys(CLIENTS).join("\n"));
  process.exit();
}

const clients = new Map();
// What libraries print is not an answer.
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

for await (const line of createInterface({ input: process.stdin })) {
  const { client, step, callback } = JSON.parse(line);
  let said;
  try {
    if (step === "begin") clients.set(client, await CLIENTS[client]());
    const does = clients.get(client)[step];
    said = does ? { result: await does(callback) } : { absent: true };
  } catch (error) {
    said = { error: `${error.name}: ${error.message}` };
  }
  answer(`${JSON.stringify(said)}\n`);
}
