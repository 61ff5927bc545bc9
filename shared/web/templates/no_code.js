console.error("wechat-login: there is no QR code of WeChat's to embed: this login has no website app. See docs/en/reference/login-js.md#embedded");
