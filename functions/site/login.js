// Log in with WeChat, for the pages of a team. No dependencies, no build step:
//
//   <script type="module" src="https://auth.example.com/login.js"></script>
//   <wechat-login scope="auto"></wechat-login>
//
// What it offers stands in login.d.ts, and in docs/en/reference/login-js.md. It holds nobody's data longer than the page.

/** @typedef {import("./login.d.ts").User} User */

/** Where the login is: where this file came from. */
const AUTH = new URL(import.meta.url).origin;
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
/** Whether something was begun from here that may end in another window, or come back to this page as it was. */
let begun = false;
/** Where a login begins; /userinfo knows better, if the page is another account's. */
let begin = `${AUTH}/authorize`;
/** @type {string | undefined} What name and photo are for, where the deployment says so. */
let purpose;
/** @type {Map<(user: User | null) => void, string | undefined>} The callbacks, and what each was told last. */
const callbacks = new Map();
/** @type {Map<string, { token: Promise<string | null>, until: number }>} */
const tokens = new Map();

// ---- What the page did wrong: one sentence each, once, with the place in the documentation.

/** The scheme and the last two labels of a name: two pages of one site have the same. @type {(origin: string) => string} */
const site = (origin) => origin.replace(/\/\/(.*\.(?=[^.]+\.[a-z][^.]*$))?|:\d+$/g, "");

// A frame's requests are those of a page of another site, if one around it is. Old browsers do not say what is around it.
const isElsewhere = [location.origin, ...location.ancestorOrigins ?? []].some((origin) => site(origin) !== site(AUTH));
const said = new Set();

/** @type {(topic: string, sentence: string) => void} */
const say = (topic, sentence) => {
  // On another site nothing else matters.
  if (said.has(sentence) || isElsewhere && said.size) return;
  said.add(sentence);
  console.error(`${NAME}: ${sentence} See docs/en/reference/login-js.md#${topic}`);
};

if (isElsewhere) say("another-site", `${AUTH} gives ${location.origin} nothing: this page, or one around it, is of another site.`);

// Where WeChat's page in the frame is blocked, the directive is this page's too.
document.addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
  if (blockedURI.startsWith(AUTH) || /^img.*\.q(logo|pic)\.cn|^frame.*weixin\.qq\.com/.test(effectiveDirective + blockedURI)) {
    say("content-security-policy", `add ${new URL(blockedURI).origin} to this page's ${effectiveDirective}.`);
  }
});

/** What was answered; null if nobody is logged in. @type {(method: string, path: string) => Promise<any>} */
const request = async (method, path) => {
  const answer = await fetch(AUTH + path, { method, credentials: "include" }).catch(async (error) => {
    // No answer that this page may read. Everybody may read this file: if it can be had, it is not the network. Whose answer
    // it was, a script is not told: what API Gateway says itself, of routes and throttles, is for no origin.
    await fetch(import.meta.url, { cache: "reload" });
    say(
      path.startsWith("/access") ? "token" : "origin",
      `${AUTH + path} gives ${location.origin} nothing: this page is not in AllowedOrigins, or the route is missing, throttled or failing.`,
    );
    throw error;
  });
  const body = answer.status === 204 || await answer.json();
  purpose = body.consent_purpose ?? purpose;
  if (answer.ok) return body;
  if (answer.status === 401) {
    begin = body.authorize_url ?? begin;
    // A browser that blocks cookies refuses its storage too. Chromium's navigator.cookieEnabled is true all the same.
    try {
      localStorage;
    } catch {
      say("cookies", `${AUTH} gives ${location.origin} nothing: this browser keeps no cookies.`);
    }
    return null;
  }
  if (/:invalid_target|:not_found/.test(body.type)) {
    say("token", `${AUTH + path} gives ${location.origin} nothing: this page is not in the origins of such an API of OpenidConnect.`);
  }
  throw Object.assign(new Error(`${body.title ?? answer.status} (${body.correlation_id})`), { problem: body });
};

// ---- Who is logged in.

const publish = () => {
  const user = known;
  if (user === undefined) return;
  const text = JSON.stringify(user);
  for (const [callback, last] of callbacks) {
    if (last === text) continue;
    callbacks.set(callback, text);
    begun &&= last === undefined;
    // A callback that throws harms nobody else.
    queueMicrotask(() => callback(user));
  }
};

/** @type {(user: User | null) => User | null} */
const learn = (user) => {
  known = user;
  knownAt = Date.now();
  publish();
  return user;
};

/** @type {() => Promise<User | null>} */
const ask = async () => {
  const before = turn;
  const user = await request("GET", "/userinfo");
  if (before !== turn) return ask();
  if (known?.openid !== user?.openid) tokens.clear();
  return learn(user);
};

/** @type {typeof import("./login.d.ts").user} */
export const user = async ({ fresh } = {}) => {
  const now = Date.now();
  if (!fresh && known !== undefined && now < knownAt + FRESH && !(known && known.expires_at * 1000 < now)) return known;
  return asking ??= ask().finally(() => {
    asking = undefined;
  });
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
/** @type {BroadcastChannel | undefined} */
let channel;
// Old browsers have none, and Firefox gives none to a page that may keep no cookies.
try {
  channel = new BroadcastChannel(NAME);
} catch {}
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

/**
 * Where a login ends: at what this address means on this page, without what a login left there that the person declined.
 * @type {(address?: string | URL) => string}
 */
const target = (address = location.href) => {
  const url = new URL(address, location.href);
  if (url.searchParams.get("error") === "access_denied") url.searchParams.delete("error");
  return url.href;
};

/** A popup is a new tab on a phone, and nothing inside WeChat. */
const hasOneWindow = () => matchMedia("(pointer: coarse)").matches || /MicroMessenger/.test(navigator.userAgent);

/** @type {typeof import("./login.d.ts").login} */
export const login = ({ mode, scope, app, lang, returnTo } = {}) => {
  const link = new URL(begin);
  const via = mode === "handoff" ? mode : undefined;
  const asked = { return_to: target(returnTo), scope, app, lang: lang?.replace("-", "_"), via };
  for (const [name, value] of Object.entries(asked)) {
    if (value) link.searchParams.set(name, value);
  }
  if (mode === "popup" && !hasOneWindow() && open(link, NAME, "popup,width=480,height=640")) begun = true;
  else if (mode && !via) location.assign(link);
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
  const path = `/access-token?${new URLSearchParams(resource && { resource })}`;
  const now = Date.now();
  let entry = tokens.get(path);
  if (!entry || entry.until < now) {
    const token = request("POST", path).then((body) => {
      // Renewed half a minute before it ends; what failed is asked for again.
      mine.until = body ? now + (body.expires_in - 30) * 1000 : 0;
      if (!body) renew();
      return body && body.access_token;
    });
    const mine = (entry = { token, until: Infinity });
    tokens.set(path, entry);
    token.catch(() => {
      mine.until = 0;
    });
  }
  return entry.token;
};

// ---- The element.

const WORDS = {
  "zh-CN": {
    logIn: "微信登录",
    openLogin: "打开登录页",
    nameless: "微信用户",
    addProfile: "补充昵称和头像",
    purpose: "昵称和头像只用于在本网站显示。",
    loggedIn: "已登录：",
    logOut: "退出登录",
    failed: "退出失败，请重试。",
  },
  en: {
    logIn: "Log in with WeChat",
    openLogin: "Open login page",
    nameless: "WeChat user",
    addProfile: "Add my name and photo",
    purpose: "Your name and photo are only shown on this site.",
    loggedIn: "Logged in: ",
    logOut: "Log out",
    failed: "Couldn't log out. Try again.",
  },
};

/** The mark is two speech bubbles, of arcs. Colors of the system fit every page, and have the contrast they need. */
const STYLE = `
:host{display:inline-block;position:relative;line-height:1.5}
:host([hidden]){display:none}
a,button,summary{display:inline-flex;box-sizing:border-box;min-height:44px;padding:10px 16px;gap:8px;align-items:center;border-radius:var(--wechat-login-radius,8px);color:inherit;font:inherit;cursor:pointer}
:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #000}
a:hover{text-decoration:underline}
[part=button],[part=avatar]{background:var(--wechat-login-color,#067d3f);color:var(--wechat-login-ink,#fff)}
[part=button]{font-weight:600;text-decoration:none}
[part=mark]{flex:none;width:24px;height:24px;background:currentcolor;clip-path:path(evenodd,"M9 2a8 7 0 0 0-5 12l-1 3 4-2h1A7 6 0 0 1 17 9 8 7 0 0 0 9 2M6 6a1 1 0 1 1-.1 0M12 6a1 1 0 1 1-.1 0M16 10a6 5 0 1 0 2 10l3 2v-3A6 5 0 0 0 16 10M14 13a1 1 0 1 1-.1 0M18 13a1 1 0 1 1-.1 0")}
[part=frame]{display:block;width:300px;max-width:100%;height:400px;border:0}
[part=open]{display:block;text-align:center}
summary::-webkit-details-marker{display:none}
summary::after{content:"";border:5px solid #0000;border-top:5px solid;border-bottom:0}
[part=avatar]{display:grid;place-items:center;flex:none;width:32px;height:32px;border-radius:6px}
[part=name]{max-width:10em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
[part=menu]{position:absolute;text-align:start;z-index:9;width:13em;border:1px solid GrayText;border-radius:var(--wechat-login-radius,8px);background:Canvas;color:CanvasText}
.end{right:0}
[part=item]{display:block;width:100%;border:0;background:none;text-align:start;text-decoration:none}
[part=note]{margin:0;padding:0 16px 8px;font-size:.875em}
.unknown{animation:.1s 1s both show}
[role=status]{contain:strict}
@keyframes show{from{visibility:hidden}}`;

/**
 * What to do when a link is pressed: its address is made anew, for the page's own may have changed since.
 * @type {(href: () => string) => { href: string, pointerdown: EventListener, click: EventListener }}
 */
const way = (href) => {
  /** @type {EventListener} */
  const press = ({ currentTarget }) => {
    begun = true;
    /** @type {HTMLAnchorElement} */ (currentTarget).href = href();
  };
  return { href: href(), pointerdown: press, click: press };
};

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

  #box = make("div", {});
  /** What is read to who does not see that something changed; only what comes into an element that was there is read. */
  #status = make("div", { role: "status" });

  constructor() {
    super();
    this.#root.append(this.#box, this.#status);
    // Unlike a style element it needs nothing of the page's policy. Browsers before 2023 do not have it.
    if (this.#root.adoptedStyleSheets) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#root.adoptedStyleSheets = [sheet];
    } else this.#root.append(make("style", {}, STYLE));
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
    this.#draw(this.#user);
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
    // The page's own active element may be around this one.
    const hadFocus = this.#root.activeElement;
    const tag = /** @type {HTMLElement | null} */ (this.closest("[lang]"))?.lang || navigator.language;
    const spoken = /^zh/i.test(tag) ? "zh-CN" : "en";
    const words = WORDS[spoken];
    const lang = /^zh.*(tw|hk|hant)/i.test(tag) ? "zh-TW" : spoken;
    const content = user ? this.#person(user, words) : this.#way(words, lang, user === null);
    content.lang = spoken;
    this.#box.replaceChildren(content);
    if (hadFocus) this.focus();
    // Who was there when the page was opened is read with the page.
    this.#status.textContent = user && this.#user === null ? words.loggedIn + (user.nickname || words.nameless) : "";
    this.#user = user;
  }

  /**
   * The way to log in.
   * @param {typeof WORDS.en} words @param {string} lang @param {boolean} isKnown
   */
  #way(words, lang, isKnown) {
    const mode = /** @type {import("./login.d.ts").LoginOptions["mode"] | "embedded"} */ (this.#given("mode"));
    // What the attributes ask for.
    const options = {
      mode: mode === "handoff" ? mode : undefined,
      scope: this.#given("scope"),
      app: this.#given("app"),
      returnTo: this.#given("return-to"),
      lang,
    };
    const link = () => login(options);
    if (mode === "embedded" && isKnown && !hasOneWindow()) {
      // The frame goes on to WeChat, which sends this page to the callback when somebody has scanned.
      const frame = make("iframe", {
        part: "frame",
        title: words.logIn,
        sandbox: "allow-scripts allow-same-origin allow-top-navigation",
        allow: "local-network-access https://open.weixin.qq.com",
        src: `${link()}&display=embedded`,
      });
      // The login behind the code is stored for half an hour. Somebody who looks at the page has a new one by then.
      const late = Date.now() + 25 * FRESH;
      const timer = setInterval(() => {
        if (!frame.isConnected) clearInterval(timer);
        else if (!document.hidden && Date.now() > late) this.#draw(this.#user);
      }, 5000);
      return make("div", {}, frame, make("a", { part: "open", ...way(link) }, words.openLogin));
    }
    const press = way(link);
    if (mode === "popup" && !hasOneWindow()) {
      press.click = (event) => {
        event.preventDefault();
        login({ ...options, mode });
      };
    }
    const button = make("a", { part: "button", ...press }, make("span", { part: "mark" }), words.logIn);
    const note = isKnown && options.scope === "snsapi_userinfo" ? [this.#purpose(words)] : [];
    return make("div", { class: isKnown ? "" : "unknown" }, button, ...note);
  }

  /**
   * What stands below whatever asks for name and photo.
   * @param {typeof WORDS.en} words
   */
  #purpose(words) {
    return make("p", { part: "note" }, this.#given("purpose") ?? purpose ?? words.purpose);
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
    const link = () => `${user.upgrade_url}&${new URLSearchParams({ return_to: target(this.#given("return-to")) })}`;
    const items = !user.upgrade_url ? [] : [
      make("a", { part: "item", ...way(link) }, words.addProfile),
      this.#purpose(words),
    ];
    const failed = make("p", { part: "note", role: "alert" }, words.failed);
    const leave = () => {
      logout().catch(() => menu.append(failed));
    };
    // A menu that would not fit to the right of where it opens begins at the other end.
    const click = () => menu.classList.toggle("end", this.getBoundingClientRect().left + 240 > innerWidth);
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

customElements.get(NAME) ?? customElements.define(NAME, WechatLogin);
