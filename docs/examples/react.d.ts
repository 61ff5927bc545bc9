import type { HTMLAttributes, RefAttributes } from "react";

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "wechat-login": HTMLAttributes<HTMLElement> & RefAttributes<HTMLElement> & {
        mode?: "redirect" | "popup" | "embedded" | "handoff"; scope?: string; app?: string; "return-to"?: string; purpose?: string;
      };
    }
  }
}
