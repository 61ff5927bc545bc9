// A person in front of Chromium. Reads `{"open": …}` a line, goes there and on as a person does, until something is told;
// answers with a line: where the browser came by, what was told, and the names of the login's cookies.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { CHROMIUM: executablePath, NAMES: names, ISSUER: issuer, ORIGIN: origin, WECHAT: wechat } = process.env;
const { USER_AGENT: userAgent, PERSON: person, SCREENSHOTS: directory } = process.env;

// Names lead nowhere but here: a picture is never fetched from where it really is.
const browser = await chromium.launch({
  executablePath,
  args: ["--no-proxy-server", `--host-resolver-rules=${names},MAP * ~NOTFOUND,EXCLUDE localhost,EXCLUDE 127.0.0.1`],
});
// The authority of the certificates is no older than this run.
const context = await browser.newContext({ ignoreHTTPSErrors: true, userAgent, locale: "zh-CN" });
const page = await context.newPage();
let hops = [];
let problems = [];
page.on("response", (response) => {
  if (response.request().isNavigationRequest() && response.frame() === page.mainFrame()) {
    hops.push({ status: response.status(), url: response.url() });
  }
});
page.on("pageerror", (error) => problems.push(`${error}`));
page.on("console", (message) => message.type() === "error" && problems.push(message.text()));

async function look(name) {
  await page.screenshot({ path: join(directory, `relying-party-${name}.png`) });
}

// Goes on with a press, and waits for what comes of it.
async function press(button) {
  const left = page.waitForEvent("framenavigated");
  await button.click();
  await left;
}

async function open(url) {
  [hops, problems] = [[], []];
  // A page may lead on before it has loaded.
  await page.goto(url, { waitUntil: "commit" });
  const told = page.locator("pre:not(:empty)");
  const allow = page.locator("button.allow");
  const goOn = page.locator("main form button");
  const home = page.locator("main a");
  const ofAnApp = page.getByText("Close your browser to continue");
  for (;;) {
    await told.or(allow).or(goOn).or(home).or(ofAnApp).first().waitFor();
    const here = page.url();
    if (here.startsWith(wechat)) {
      await look("wechat");
      await page.locator(`input[value=${person}]`).check();
      await press(allow);
    } else if (here === `${issuer}/`) {
      // A logout without an ID token ends here; a person finds the way back.
      await page.goto(`${origin}/bye`);
    } else if (here.startsWith(issuer)) {
      await look("go-on");
      await press(goOn);
    } else if (here.startsWith("http://127.0.0.1:")) {
      // Back to the app.
      await page.goto(`${origin}/`);
    } else {
      await look("told");
      const cookies = await context.cookies(issuer);
      const text = await told.innerText();
      return { hops, text, cookies: cookies.map(({ name }) => name) };
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await open(JSON.parse(line).open)));
  } catch (error) {
    const shown = await page.locator("body").innerText().catch(() => "");
    console.log(JSON.stringify({ error: [error, page.url(), shown, ...problems].join("\n") }));
  }
}
await browser.close();
