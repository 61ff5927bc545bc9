// Vue 3. The bundler leaves addresses alone: esbuild --external:https://*, Vite build.rollupOptions.external.

import { createApp, onScopeDispose, ref, watch } from "vue";
import { accessToken, onChange } from "https://auth.example.com/login.js";

/** Who is logged in; undefined as long as nobody knows. */
function useUser() {
  const user = ref();
  onScopeDispose(onChange((now) => (user.value = now)));
  return user;
}

async function load() {
  const authorization = `Bearer ${await accessToken({ resource: "https://api.example.com" })}`;
  const answer = await fetch("https://api.example.com/orders", { headers: { authorization } });
  if (!answer.ok) throw new Error(`orders: ${answer.status}`);
  const { length } = await answer.json();
  return `${length} 个订单`;
}

const app = createApp({
  setup() {
    const user = useUser();
    const orders = ref("登录后可以查看订单。");
    watch(user, (now) => {
      const show = (text) => {
        // By now it may be somebody else who is logged in, or nobody.
        if (user.value === now) orders.value = text;
      };
      show(now ? "正在读取订单……" : "登录后可以查看订单。");
      if (now) load().then(show, (error) => (console.warn(error), show("暂时看不到订单，请稍后再试。")));
    });
    return { orders };
  },
  template: `
    <h1>我的订单</h1>
    <wechat-login scope="auto"></wechat-login>
    <p id="orders">{{ orders }}</p>
  `,
});
// In a project with Vite: template.compilerOptions of @vitejs/plugin-vue.
app.config.compilerOptions.isCustomElement = (tag) => tag === "wechat-login";
app.mount("#app");
