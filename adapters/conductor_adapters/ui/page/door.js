"use strict";
/* The door: the token that was printed becomes a session, and leads to where somebody wanted to go.

   Rule: the token leaves the address at once, and goes nowhere but to the server, in a body. What
   comes of it is a cookie that no script reads, and a second token that no other server is sent. */

const wanted = new URLSearchParams(location.search).get("to") ?? "/";

/** Where to go: a path of ours, and nowhere else. */
function way(rest) {
  if (!URL.canParse(wanted, location.origin)) return "/";
  const there = new URL(wanted, location.origin);
  // A path that comes to begin with two slashes would name another host.
  const ours = there.origin === location.origin && wanted.startsWith("/") && !there.pathname.startsWith("//");
  return (ours ? there.pathname + there.search : "/") + (rest ? `#${rest}` : "");
}

async function show(token, rest) {
  const answer = await fetch("/api/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (answer?.ok) {
    localStorage.setItem(KEPT, told.csrf);
    location.replace(way(rest));
    return;
  }
  $("wrong").textContent = told?.error.message ?? "conductor ui does not answer";
  $("token").select();
}

async function begin() {
  const fragment = new URLSearchParams(location.hash.slice(1)), token = fragment.get("token");
  fragment.delete("token");
  const rest = fragment.toString();
  history.replaceState(null, "", location.pathname + location.search);
  $("form").addEventListener("submit", (event) => { event.preventDefault(); show($("token").value.trim(), rest); });
  if (token) await show(token, rest);
  else {
    // Who came by a link from elsewhere has a session, which the browser kept back.
    const answer = await fetch("/api/session", { headers: signed() }).catch(() => null);
    if (answer?.ok && (await answer.json()).signed_in) { location.replace(way(rest)); return; }
    $("token").focus();
  }
  document.documentElement.dataset.ready = "";
}

begin();
