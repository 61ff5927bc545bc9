// React 19. The bundler leaves addresses alone: esbuild --external:https://*, Vite build.rollupOptions.external.

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { accessToken, onChange } from "https://auth.example.com/login.js";

/** Who is logged in; undefined as long as nobody knows. */
function useUser() {
  const [user, setUser] = useState();
  useEffect(() => onChange(setUser), []);
  return user;
}

function Orders() {
  const user = useUser();
  const [orders, setOrders] = useState();
  useEffect(() => {
    setOrders("正在读取订单……");
    if (!user) return;
    const controller = new AbortController();
    load(controller.signal).then(setOrders, (error) => {
      if (controller.signal.aborted) return;
      console.warn(error);
      setOrders("暂时看不到订单，请稍后再试。");
    });
    return () => controller.abort();
  }, [user?.openid]);

  return (
    <>
      <h1>我的订单</h1>
      <wechat-login scope="auto" />
      <p id="orders">{user ? orders : "登录后可以查看订单。"}</p>
    </>
  );
}

async function load(signal) {
  const authorization = `Bearer ${await accessToken({ resource: "https://api.example.com" })}`;
  const answer = await fetch("https://api.example.com/orders", { headers: { authorization }, signal });
  if (!answer.ok) throw new Error(`orders: ${answer.status}`);
  const { length } = await answer.json();
  return `${length} 个订单`;
}

createRoot(document.querySelector("#app")).render(<Orders />);
