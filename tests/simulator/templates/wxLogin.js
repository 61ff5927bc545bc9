// The simulator's own `WxLogin`: it takes what WeChat's takes and opens the page that WeChat's opens.
(() => {
  const page = "ORIGIN/connect/qrconnect";

  window.WxLogin = function (options) {
    const own = { true: "true", false: "false" }[options.self_redirect] ?? "default";
    const parameters = [
      ["appid", options.appid],
      ["scope", options.scope],
      // As it comes: whoever calls has encoded it.
      ["redirect_uri", options.redirect_uri],
      ["state", options.state],
      ["login_type", "jssdk"],
      ["self_redirect", own],
      ["styletype", options.styletype || ""],
      ["sizetype", options.sizetype || ""],
      ["bgcolor", options.bgcolor || ""],
      ["rst", options.rst || ""],
    ];
    if (options.style) parameters.push(["style", options.style]);
    if (options.href) parameters.push(["href", options.href]);
    if (options.lang === "en") parameters.push(["lang", "en"]);
    if (options.stylelite === 1) parameters.push(["stylelite", 1]);
    if (options.fast_login === 0) parameters.push(["fast_login", 0]);

    const frame = document.createElement("iframe");
    frame.src = `${page}?${parameters.map(([name, value]) => `${name}=${value}`).join("&")}`;
    frame.frameBorder = "0";
    frame.allowTransparency = "true";
    frame.scrolling = "no";
    frame.width = "300px";
    frame.height = "400px";
    const sandbox = "SANDBOX";
    if (sandbox) frame.sandbox = sandbox;
    // Quick login asks the WeChat of this computer.
    frame.allow = "local-network-access";

    window.addEventListener("message", ({ source, data }) => {
      const ready = '{"type":"status","status":"wxReady"}';
      if (source === frame.contentWindow && data === ready) options.onReady?.(true);
    });
    document.getElementById(options.id).replaceChildren(frame);
  };
})();
