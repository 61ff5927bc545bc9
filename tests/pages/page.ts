// A page that uses login.js by its types, as an editor sees it, and from where a page has it. Nothing here runs.

import { accessToken, login, logout, onChange, user, type User } from "https://auth.example.com/login.js";

const element: HTMLElement = document.createElement("wechat-login");
const end: () => void = onChange((user: User | null) => element.append(user?.nickname ?? ""));
const person = await user({ fresh: true });
const link: string = login({ scope: "auto", lang: "en", returnTo: new URL(location.href) });
const token: string | null = await accessToken({ resource: "https://api.example.com" });
await logout();
end();

// @ts-expect-error: nobody may be logged in.
person.openid;
// @ts-expect-error: there is no such mode.
login({ mode: "embedded" });
// @ts-expect-error: a token may be missing.
token.length;

export { link };
