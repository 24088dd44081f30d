/* What a page shows of who asks, beside the cookie that a browser sends along by itself.

   Rule: the second token of a session is kept where only pages of this very address find it: cookies
   reach every port of a machine, storage does not. */

const KEPT = "conductor-csrf";
const second = () => localStorage.getItem(KEPT) ?? "";
const signed = () => ({ "X-Conductor-CSRF": second() });

/** To the door, and back to where somebody was. */
const signIn = () => location.assign(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}${location.hash}`);

/** Whether an answer says that who asked is not known, or not any more. */
const unknown = (answer, told) => answer.status === 401 || told?.error?.code === "no-csrf";
