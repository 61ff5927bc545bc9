"use strict";
{
  // Asks what has happened, and opens the page again once it is something else than the page was made for.
  const page = new URL(location.href);
  const stage = "STAGE";
  const every = 3000;
  let pause = every;
  const ask = async () => {
    let seen;
    // AbortSignal.timeout is younger than browsers that people use.
    const late = new AbortController();
    setTimeout(() => late.abort(), 10000);
    try {
      const answer = await fetch(page.pathname + "?state=" + page.searchParams.get("state"), {
        headers: { accept: "application/json" },
        signal: late.signal,
      });
      if (answer.ok) seen = (await answer.json()).stage;
      else if (answer.status === 400) seen = "gone";
    } catch (error) {}
    // Throttled, unavailable, offline: the page waits on, and asks less often.
    pause = seen ? every : Math.min(2 * pause, 4 * every);
    if (!seen || seen === stage) return setTimeout(ask, pause);
    page.searchParams.delete("choice");
    if (seen === "scanned") {
      // What only this page knows: the same is asked again if the answer is lost.
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      page.searchParams.set("choice", Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    }
    location.replace(page);
  };
  setTimeout(ask, every);
}
