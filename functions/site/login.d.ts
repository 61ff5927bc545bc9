/** Types of login.js, which is described in docs/en/reference/login-js.md. */

/** Who is logged in: the answer of `/userinfo`, in WeChat's own names. */
export interface User {
  /** The person within one app of WeChat's. */
  openid: string;
  /** The person in all apps of one Open Platform account, if it is known. */
  unionid?: string;
  nickname?: string;
  /** 1 male, 2 female, 0 not said. */
  sex?: number;
  province?: string;
  city?: string;
  country?: string;
  /** The photo: an https address of WeChat's, or empty. */
  headimgurl?: string;
  privilege?: string[];
  /** What was granted, separated by commas. */
  scope: string;
  /** When the session ends, in seconds since 1970. */
  expires_at: number;
  /** Whether the person followed the Official Account at `subscribe_read_at`, in seconds since 1970. */
  subscribe?: boolean;
  subscribe_read_at?: number;
  /** Where the person can add name and photo, after `scope=auto` and as long as there are none. */
  upgrade_url?: string;
  /** What name and photo would be for then, where the deployment says so. */
  consent_purpose?: string;
}

export interface LoginOptions {
  /**
   * `redirect` goes there now; `popup` opens a window, and goes there where a window is of no use; `handoff` asks for this
   * stack's own QR code. Without it the address is returned and nothing happens.
   */
  mode?: "redirect" | "popup" | "handoff" | undefined;
  scope?: "auto" | "snsapi_base" | "snsapi_userinfo" | (string & {}) | undefined;
  /** Which account, or which app. */
  app?: string | undefined;
  lang?: "zh_CN" | "zh_TW" | "zh-CN" | "zh-TW" | "en" | (string & {}) | undefined;
  /** Where the login ends; by default on this page. A relative address is one of this page's. */
  returnTo?: string | URL | undefined;
}

/** Who is logged in, or `null`. Kept for a minute; `fresh` asks again. Fails if the stack cannot be asked. */
export declare function user(options?: { fresh?: boolean | undefined }): Promise<User | null>;

/** The address where a login begins that ends on this page. With `redirect` or `popup` it also begins it: call it at a click. */
export declare function login(options?: LoginOptions): string;

/** Ends the session, here and in the origin's other tabs. */
export declare function logout(): Promise<void>;

/**
 * A token for an API, or `null` if nobody is logged in. Kept until half a minute before it ends, so ask for it at every
 * request. `resource` is the API's name; it can be left out if one API alone gives tokens to this page.
 */
export declare function accessToken(options?: { resource?: string | undefined }): Promise<string | null>;

/** Calls back with who is logged in, once that is known and at every change; returns what ends that. */
export declare function onChange(callback: (user: User | null) => void): () => void;

declare global {
  interface HTMLElementTagNameMap {
    "wechat-login": HTMLElement;
  }
}
