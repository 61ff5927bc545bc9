// Log in with WeChat, for the pages of a team. No dependencies, no build step:
//
//   <script type="module" src="https://auth.example.com/login.js"></script>
//   <wechat-login scope="auto"></wechat-login>
//
// What it offers stands in login.d.ts, and in docs/en/reference/login-js.md. It holds nobody's data longer than the page.

/** @typedef {import("./login.d.ts").User} User */

/** Where the login is: where this file came from. */
const AUTH = new URL(import.meta.url).origin;
const DOCS = "docs/en/reference/login-js.md";
/** How long the answer of /userinfo is good, in milliseconds. */
const FRESH = 60_000;
/** The name of the popup, by which the page in it knows where it is; and of the channel between the page's tabs. */
const NAME = "wechat-login";

/** @type {User | null | undefined} Who is logged in; undefined while nobody knows. */
let known;
let knownAt = 0;
/** @type {Promise<User | null> | undefined} */
let asking;
/** Counts logouts and news from other tabs, so that an answer that was under way then does not count. */
let turn = 0;
/** Whether a login was begun from here that may end in another window. */
let begun = false;
/** Where a login begins; /userinfo knows better, if the page is another account's. */
let begin = `${AUTH}/authorize`;
/** @type {Map<(user: User | null) => void, string | undefined>} The callbacks, and what each was told last. */
const callbacks = new Map();
/** @type {Map<string, { token: Promise<string | null>, until: number }>} */
const tokens = new Map();

// ---- What the page did wrong: one sentence each, once, with the place in the documentation.

const said = new Set();

/** @type {(topic: string, sentence: string) => void} */
const say = (topic, sentence) => {
  // On another site nothing else matters.
  if (said.has(topic) || said.has("another-site")) return;
  said.add(topic);
  console.error(`${NAME}: ${sentence} See ${DOCS}#${topic}`);
};

/** The scheme and the last two labels: two pages of one site have the same. @type {(url: URL | Location) => string} */
const site = ({ protocol, hostname }) =>
  protocol + (/^[\d.]+$|:/.test(hostname) ? hostname : hostname.split(".").slice(-2).join("."));

if (site(location) !== site(new URL(AUTH))) {
  say("another-site", `${location.origin} is of another site than ${AUTH}, which gets no cookie from here.`);
}

document.addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
  if (blockedURI.startsWith(AUTH) || effectiveDirective === "img-src" && /\.q(logo|pic)\.cn\b/.test(blockedURI)) {
    say("content-security-policy", `add ${blockedURI} to ${effectiveDirective} of this page's Content-Security-Policy.`);
  }
});

/** What was answered; null if nobody is logged in. @type {(method: string, path: string) => Promise<any>} */
const request = async (method, path) => {
  const options = { method, credentials: /** @type {const} */ ("include"), headers: { accept: "application/json" } };
  const answer = await fetch(AUTH + path, options).catch(async (error) => {
    // No answer that this page may read. Everybody may read this file, so if it can be had, the page is the reason.
    await fetch(import.meta.url, { cache: "reload" });
    say("origin", `${AUTH} does not answer pages of ${location.origin}: add it to AllowedOrigins.`);
    throw error;
  });
  const { status } = answer;
  const body = status === 204 ? {} : await answer.json();
  if (answer.ok) return body;
  if (status === 401) {
    begin = body.authorize_url ?? begin;
    if (!navigator.cookieEnabled) say("cookies", "this browser keeps no cookies for this page.");
    return null;
  }
  if (body.type?.endsWith(":invalid_target") || status === 404) {
    say("token", `${AUTH} has no such token for ${location.origin}: add it to the API's origins in OpenidConnect.`);
  }
  throw Object.assign(new Error(`${body.title ?? status} (${body.correlation_id})`), { problem: body });
};

// ---- Who is logged in.

const publish = () => {
  const user = known;
  if (user === undefined) return;
  const text = JSON.stringify(user);
  for (const [callback, last] of callbacks) {
    if (last === text) continue;
    callbacks.set(callback, text);
    // A callback that throws harms nobody else.
    queueMicrotask(() => callback(user));
  }
};

/** @type {(user: User | null) => User | null} */
const learn = (user) => {
  [known, knownAt] = [user, Date.now()];
  publish();
  return user;
};

/** @type {() => Promise<User | null>} */
const ask = async () => {
  const before = turn;
  const user = await request("GET", "/userinfo");
  if (before !== turn) return ask();
  if (known?.openid !== user?.openid) tokens.clear();
  begun &&= !user;
  return learn(user);
};

/** @type {typeof import("./login.d.ts").user} */
export const user = async ({ fresh } = {}) => {
  const now = Date.now();
  if (!fresh && known !== undefined && now < knownAt + FRESH && !(known && known.expires_at * 1000 < now)) return known;
  asking ??= ask().finally(() => {
    asking = undefined;
  });
  return asking;
};

/** Asks again, for whoever is listening; what goes wrong has been said. */
const renew = (fresh = true) => {
  if (callbacks.size) user({ fresh }).catch(() => {});
};

/** @type {typeof import("./login.d.ts").onChange} */
export const onChange = (callback) => {
  callbacks.set(callback, undefined);
  user().then(publish, () => {});
  return () => {
    callbacks.delete(callback);
  };
};

const forget = () => {
  turn += 1;
  knownAt = 0;
  tokens.clear();
};

// The tabs of one origin tell each other that something changed, and no more.
const channel = globalThis.BroadcastChannel && new BroadcastChannel(NAME);
channel?.addEventListener("message", () => {
  forget();
  renew();
});
for (const event of ["focus", "pageshow"]) addEventListener(event, () => renew(begun));

// The popup comes back to the page that opened it, and its work is done.
if (opener && window.name === NAME) {
  channel?.postMessage("");
  close();
}

// ---- Logging in and out, and the token for an API.

/** This page without what a login left there that the person declined. */
const here = () => {
  const url = new URL(location.href);
  if (url.searchParams.get("error") === "access_denied") url.searchParams.delete("error");
  return url.href;
};

/** A popup is a new tab on a phone, and nothing inside WeChat. */
const hasOneWindow = () => matchMedia("(pointer: coarse)").matches || /MicroMessenger/.test(navigator.userAgent);

/** @type {typeof import("./login.d.ts").login} */
export const login = ({ mode, scope, app, lang, returnTo } = {}) => {
  const link = new URL(begin);
  const via = mode === "handoff" ? mode : undefined;
  const asked = { return_to: returnTo ?? here(), scope, app, lang: lang?.replace("-", "_"), via };
  for (const [name, value] of Object.entries(asked)) {
    if (value) link.searchParams.set(name, String(value));
  }
  if (mode === "popup" && !hasOneWindow() && open(link, NAME, "popup,width=480,height=640")) begun = true;
  else if (mode === "popup" || mode === "redirect") location.assign(link);
  return link.href;
};

/** @type {typeof import("./login.d.ts").logout} */
export const logout = async () => {
  await request("POST", "/logout");
  forget();
  learn(null);
  channel?.postMessage("");
};

/** @type {typeof import("./login.d.ts").accessToken} */
export const accessToken = async ({ resource } = {}) => {
  const path = `/access-token${resource ? `?resource=${encodeURIComponent(resource)}` : ""}`;
  const now = Date.now();
  let entry = tokens.get(path);
  if (!entry || entry.until < now) {
    const answer = request("POST", path);
    const mine = (entry = { token: answer.then((body) => body && body.access_token), until: Infinity });
    tokens.set(path, entry);
    // Renewed half a minute before it ends; what failed is asked for again.
    answer
      .catch(() => null)
      .then((body) => {
        mine.until = body ? now + (body.expires_in - 30) * 1000 : 0;
        if (!body) renew();
      });
  }
  return entry.token;
};

// ---- The element.

const WORDS = {
  zh: {
    logIn: "微信登录",
    code: "微信登录二维码",
    openLogin: "打开登录页",
    nameless: "微信用户",
    addProfile: "补充昵称和头像",
    purpose: "昵称和头像只用于在本网站显示。",
    logOut: "退出登录",
    failed: "现在无法退出，请稍后再试。",
  },
  en: {
    logIn: "Log in with WeChat",
    code: "QR code to log in with WeChat",
    openLogin: "Open login page",
    nameless: "WeChat user",
    addProfile: "Add my name and photo",
    purpose: "Only shown on this site.",
    logOut: "Log out",
    failed: "Couldn't log out. Please try again later.",
  },
};

/** The mark is two speech bubbles, of arcs. Colors of the system fit every page, and have the contrast they need. */
const STYLE = `
:host{display:inline-block;position:relative;line-height:1.5}
:host([hidden]){display:none}
a,button,summary{box-sizing:border-box;min-height:44px;padding:10px 16px;gap:8px;align-items:center;border-radius:var(--wechat-login-radius,8px);color:inherit;font:inherit;cursor:pointer}
:focus-visible{outline:3px solid CanvasText;outline-offset:2px}
a:hover{text-decoration:underline}
[part=button],[part=avatar]{background:var(--wechat-login-color,#067d3f);color:var(--wechat-login-ink,#fff)}
[part=button]{display:inline-flex;font-weight:600;text-decoration:none}
[part=mark]{flex:none;width:24px;height:24px;background:currentcolor;clip-path:path(evenodd,"M9 2a8 6.5 0 0 0-5 11.6L3.3 17l3.3-2a8 6.5 0 0 0 1.4.2A7.3 6 0 0 1 16.9 8.7 8 6.5 0 0 0 9 2M6.5 5.5a1 1 0 1 1-.1 0M11.5 5.5a1 1 0 1 1-.1 0M16 10a6.5 5.3 0 1 0 2.5 10.2L21 22l-.5-2.9A6.5 5.3 0 0 0 16 10M14 13a1 1 0 1 1-.1 0M18.5 13a1 1 0 1 1-.1 0")}
[part=frame]{display:block;width:300px;max-width:100%;height:400px;border:0}
[part=open]{display:block;text-align:center}
summary{display:inline-flex}
summary::-webkit-details-marker{display:none}
summary::after{content:"";border:5px solid transparent;border-top-color:currentcolor;margin-top:5px}
[part=avatar]{display:grid;place-items:center;flex:none;width:32px;height:32px;border-radius:6px}
[part=name]{max-width:10em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
[part=menu]{position:absolute;text-align:start;z-index:9;width:13em;border:1px solid GrayText;border-radius:var(--wechat-login-radius,8px);background:Canvas;color:CanvasText}
.end{right:0}
[part=item]{display:block;width:100%;border:0;background:none;text-align:start;text-decoration:none}
[part=note]{margin:0;padding:0 16px 8px;font-size:.875em}
.unknown{animation:.1s 1s both show}
@keyframes show{from{visibility:hidden}to{visibility:visible}}`;

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | EventListener>} attributes
 * @param {(Node | string)[]} children
 */
const make = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "string") element.setAttribute(name, value);
    else element.addEventListener(name, value);
  }
  element.append(...children);
  return element;
};

class WechatLogin extends HTMLElement {
  static observedAttributes = ["scope", "mode", "lang", "app", "return-to", "purpose"];

  #root = this.attachShadow({ mode: "open", delegatesFocus: true });
  /** @type {User | null | undefined} */
  #user;
  #leave = () => {};

  constructor() {
    super();
    // Unlike a style element it needs nothing of the page's policy. Browsers before 2023 do not have it.
    if (!this.#root.adoptedStyleSheets) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    const unsubscribe = onChange((user) => this.#draw(user));
    this.#draw(this.#user);
    // Nobody knows: the login is there all the same.
    user().catch(() => this.#user === undefined && this.#draw(null));
    /** @type {(event: Event) => void} */
    const outside = (event) => {
      if (!event.composedPath().includes(this)) this.#fold();
    };
    document.addEventListener("click", outside);
    this.#leave = () => {
      unsubscribe();
      document.removeEventListener("click", outside);
    };
  }

  disconnectedCallback() {
    this.#leave();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#draw(this.#user);
  }

  #fold() {
    this.#root.querySelector("details")?.removeAttribute("open");
  }

  /** @param {string} name */
  #given(name) {
    return this.getAttribute(name) ?? undefined;
  }

  /** @param {User | null | undefined} user */
  #draw(user) {
    this.#user = user;
    const hadFocus = document.activeElement === this;
    const tag = (this.closest("[lang]")?.getAttribute("lang") || navigator.language).toLowerCase();
    const isChinese = tag.startsWith("zh");
    const words = WORDS[isChinese ? "zh" : "en"];
    const lang = !isChinese ? "en" : /tw|hk|hant/.test(tag) ? "zh_TW" : "zh_CN";
    const content = user ? this.#person(user, words) : this.#way(words, lang, user === null);
    content.lang = isChinese ? "zh-CN" : "en";
    this.#root.replaceChildren(content, this.#root.adoptedStyleSheets ? "" : make("style", {}, STYLE));
    if (hadFocus) this.focus();
  }

  /**
   * The way to log in.
   * @param {typeof WORDS.en} words @param {string} lang @param {boolean} isKnown
   */
  #way(words, lang, isKnown) {
    const mode = /** @type {import("./login.d.ts").LoginOptions["mode"] | "embedded"} */ (this.#given("mode"));
    // What the attributes ask for.
    const options = { scope: this.#given("scope"), app: this.#given("app"), returnTo: this.#given("return-to"), lang };
    const link = () => login({ ...options, mode: mode === "handoff" ? mode : undefined });
    // The page's address may have changed since this was drawn.
    /** @type {EventListener} */
    const refresh = ({ currentTarget }) => {
      begun = true;
      /** @type {HTMLAnchorElement} */ (currentTarget).href = link();
    };
    if (mode === "embedded" && isKnown && !hasOneWindow()) {
      // The frame goes on to WeChat, which sends this page to the callback when somebody has scanned.
      const frame = make("iframe", {
        part: "frame",
        title: words.code,
        sandbox: "allow-scripts allow-same-origin allow-top-navigation",
        allow: "local-network-access https://open.weixin.qq.com",
        src: `${link()}&display=embedded`,
      });
      return make("div", {}, frame, make("a", { part: "open", href: link(), pointerdown: refresh, click: refresh }, words.openLogin));
    }
    /** @type {EventListener} */
    const click = (event) => {
      refresh(event);
      if (mode !== "popup" || hasOneWindow()) return;
      event.preventDefault();
      login({ ...options, mode });
    };
    const button = make("a", { part: "button", href: link(), pointerdown: refresh, click }, make("span", { part: "mark" }), words.logIn);
    return make("div", { class: isKnown ? "" : "unknown" }, button);
  }

  /**
   * Who is logged in, and the menu.
   * @param {User} user @param {typeof WORDS.en} words
   */
  #person(user, words) {
    const nobody = make("span", { part: "avatar" }, make("span", { part: "mark" }));
    const avatar = user.headimgurl
      ? make("img", { part: "avatar", src: user.headimgurl, alt: "", referrerpolicy: "no-referrer", error: () => avatar.replaceWith(nobody) })
      : nobody;
    const note = make("p", { part: "note", role: "alert" });
    const items = [];
    if (user.upgrade_url) {
      const href = `${user.upgrade_url}&return_to=${encodeURIComponent(this.#given("return-to") ?? here())}`;
      items.push(
        make("a", { part: "item", href }, words.addProfile),
        make("p", { part: "note" }, this.#given("purpose") ?? words.purpose),
      );
    }
    /** @type {EventListener} */
    const leave = () => {
      logout().catch(() => {
        note.replaceChildren(words.failed);
        menu.append(note);
      });
    };
    // A menu that would not fit to the right of where it opens begins at the other end.
    const click = () => {
      menu.classList.toggle("end", this.getBoundingClientRect().left + 240 > innerWidth);
    };
    /** @type {EventListener} */
    const keydown = (event) => {
      if (/** @type {KeyboardEvent} */ (event).key !== "Escape") return;
      this.#fold();
      summary.focus();
    };
    const summary = make("summary", { part: "user", click }, avatar, make("span", { part: "name" }, user.nickname || words.nameless));
    const menu = make("div", { part: "menu" }, ...items, make("button", { part: "item", type: "button", click: leave }, words.logOut));
    return make("details", { keydown }, summary, menu);
  }
}

if (!customElements.get(NAME)) customElements.define(NAME, WechatLogin);
