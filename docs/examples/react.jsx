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
  const [orders, setOrders] = useState([]);
  useEffect(() => {
    if (!user) return setOrders([]);
    const controller = new AbortController();
    load(controller.signal).then(setOrders, (error) => controller.signal.aborted || console.warn(error));
    return () => controller.abort();
  }, [user?.openid]);

  return (
    <>
      <h1>我的订单</h1>
      <wechat-login scope="auto" />
      <p id="orders">{user ? `${orders.length} 个订单` : "登录后可以查看订单。"}</p>
    </>
  );
}

async function load(signal) {
  const authorization = `Bearer ${await accessToken({ resource: "https://api.example.com" })}`;
  const answer = await fetch("https://api.example.com/orders", { headers: { authorization }, signal });
  return answer.json();
}

createRoot(document.querySelector("#app")).render(<Orders />);
