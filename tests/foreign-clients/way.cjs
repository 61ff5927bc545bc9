// The same way for Node, whose clients heed no proxy: connections to WeChat's hosts end at the simulator, all others
// fail. TLS goes on above, with the names and the certificates that the clients ask for.

"use strict";

const { Socket } = require("node:net");

const hosts = new Set(["open.weixin.qq.com", "api.weixin.qq.com"]);
const port = Number(process.env.SIMULATOR_PORT);
const connect = Socket.prototype.connect;

Socket.prototype.connect = function (...parameters) {
  // Node's own callers bring a list that has been put into order already.
  const ordered = Array.isArray(parameters[0]) ? parameters[0] : parameters;
  const [options, ...rest] = ordered;
  if (typeof options !== "object" || options.path) return connect.apply(this, parameters);
  if (!hosts.has(options.host) || Number(options.port) !== 443) {
    throw new Error(`${options.host}:${options.port} is none of WeChat's hosts`);
  }
  return connect.call(this, { ...options, host: "127.0.0.1", port }, ...rest.filter((each) => typeof each === "function"));
};
