/* What a page shows of who asks, beside the cookie that a browser sends along by itself.

   Rule: the second token of a session is kept where only pages of this very address find it: cookies
   reach every port of a machine, storage does not. */

const KEPT = "conductor-csrf";
const second = () => localStorage.getItem(KEPT) ?? "";
const signed = () => ({ "X-Conductor-CSRF": second() });

/** To the door, and back to where somebody was. */
const signIn = () => location.assign(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}${location.hash}`);

/** Who this browser is to the server; null where that does not answer. */
async function ofSession() {
  const answer = await fetch("/api/session", { headers: signed() }).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

/** A button that ends the session, here and on the server, and leads to the door. */
function signOut() {
  const button = make("button", { type: "button", class: "quiet leave", id: "sign-out", title: "End this session, in all tabs" }, "Sign out");
  button.addEventListener("click", async () => {
    const answer = await fetch("/api/sign-out", { method: "POST", headers: { "Content-Type": "application/json", ...signed() }, body: "{}" }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (!answer?.ok && !(answer && unknown(answer, told))) {
      button.textContent = "Not signed out: press again";
      return;
    }
    localStorage.removeItem(KEPT);
    sessionStorage.removeItem("conductor-by");
    location.replace("/sign-in");
  });
  return button;
}

/** Whether an answer says that who asked is not known, or not any more. */
const unknown = (answer, told) => answer.status === 401 || told?.error?.code === "no-csrf";
