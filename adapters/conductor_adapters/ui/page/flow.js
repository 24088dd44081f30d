"use strict";
/* The page of a flow, live: entries that come are appended, and people answer what is asked.

   Rule: what may be asked now is what the server says (`standing`); what a plan says is in the
   entries, which the page has. An answer is about the attempt that was shown, is sent once, and
   its verdict is shown as it came. */

const API = `/api${location.pathname}`;
const SHOWN = 24;           // so many lines of an output are shown at first
const AGAIN_MS = [500, 1000, 2000, 5000];
const CONFIRM_MS = 5000;

let session = { read_only: true, signed_in: false, by: "" };
let standing = null;

/* --- what follows the log --- */

const line = {
  source: null, failures: 0, timer: 0,

  open() {
    if (this.source || document.hidden) return;
    clearTimeout(this.timer);
    const source = this.source = new EventSource(`${API}/events?${new URLSearchParams({ after: conductor.entries(), csrf: second() })}`);
    source.onopen = () => { this.failures = 0; told("live"); };
    source.onerror = () => this.lost();
    const heard = (kind, act) => source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
    heard("entries", (entries) => { conductor.append(entries); decide.outputs(); });
    heard("standing", (now) => { standing = now; decide.draw(); });
    heard("trouble", ({ message }) => told(message ? "trouble" : "live", message));
    heard("gone", ({ message }) => { this.close(); told("gone", message); });
    heard("reset", () => location.reload());
  },

  close() {
    this.source?.close();
    this.source = null;
  },

  /** Try again, ever more rarely; a session that is over needs the token anew. */
  async lost() {
    this.close();
    told("lost");
    const wait = AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(async () => {
      const there = await ofSession();
      if (!there) this.lost();
      else if (there.read_only || there.signed_in) { session = there; this.open(); }
      else signIn();
    }, wait);
  },
};

document.addEventListener("visibilitychange", () => { if (document.hidden) line.close(); else line.open(); });

/* --- the top --- */

const STATES = {
  live: ["good", "Live"], lost: ["wait", "Reconnecting"], trouble: ["bad", "The store cannot be read"],
  gone: ["bad", "No longer followed"],
};
const state = make("span", { class: "line-state", role: "status" });
const banner = make("p", { class: "banner", role: "alert", hidden: true });

function told(name, message = "") {
  const [tone, words] = STATES[name];
  state.dataset.tone = tone;
  state.dataset.state = name;
  state.textContent = words;
  banner.textContent = plain(message);
  banner.hidden = !message;
}

function drawTop() {
  const back = make("a", { class: "quiet back", href: "/", title: "All flows" }, icon("back"), "Flows");
  document.querySelector(".brand").replaceWith(back);
  $("flow-status").before(state);
  document.querySelector(".top").append(...(session.read_only ? [] : [signOut()]), banner);
}

/* --- what people are asked --- */

/** Who asks, as it was typed, for as long as this tab is open. */
const actor = make("input", { type: "text", id: "actor", "data-typed": true, autocomplete: "off", spellcheck: "false", maxlength: "200", placeholder: "Your name" });
actor.addEventListener("input", () => { sessionStorage.setItem("conductor-by", actor.value); actor.closest(".actor").classList.remove("missing"); });

const decide = {
  cards: new Map(),
  sent: new Map(),      // what was sent and not answered yet, so that it counts once
  root: make("div", { class: "decide" }),
  receipts: make("ol", { class: "receipts", role: "log", "aria-label": "Answers to what was asked" }),
  list: make("div", { class: "cards" }),
  rest: make("section", { class: "rest" }),

  begin() {
    const who = make("label", { class: "actor" }, make("span", {}, "Signed as"), actor, make("span", { class: "hint" }, "Say who you are first; it stands in the log."));
    this.root.append(...(session.read_only ? [] : [who]), this.receipts, this.list, this.rest);
    conductor.tab("decide", "Decide", () => [this.root]);
    this.badge();
  },

  draw() {
    this.cardsOf();
    this.drawRest();
    this.badge();
    const open = standing.approvals.length + standing.failures.length;
    if (open && !this.seen && ["entry", "decide"].includes(conductor.opened)) conductor.open("decide");
    this.seen = open > 0;
  },

  /** How many questions are open stands on the tab. */
  badge() {
    const count = standing ? standing.approvals.length + standing.failures.length : 0, tab = $("tab-decide");
    tab.replaceChildren("Decide", ...(count ? [make("span", { class: "badge" }, number(count))] : []));
    tab.setAttribute("aria-label", count ? `Decide, ${plural(count, "question", "questions")}` : "Decide");
    const name = $("flow-id").textContent;
    document.title = `${count ? `(${count}) ` : ""}${name} · conductor`;
  },

  cardsOf() {
    const wanted = [
      ...standing.approvals.map((each) => [`approval ${each.attempt}`, each, Approval]),
      ...standing.failures.map((each) => [`failure ${each.attempt}`, each, Failure]),
    ];
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, card] of this.cards) if (!keys.has(key)) { card.element.remove(); this.cards.delete(key); }
    for (const [key, data, Card] of wanted) {
      if (!this.cards.has(key)) {
        this.cards.set(key, new Card(data));
        this.list.append(this.cards.get(key).element);
      }
      this.cards.get(key).draw(data);
    }
  },

  /** Show outputs that came after their question. */
  outputs() {
    for (const card of this.cards.values()) card.output();
  },

  drawRest() {
    const about = new Set([...standing.approvals, ...standing.failures].map(({ attempt }) => attempt));
    const others = session.read_only ? [] : standing.requests.filter(({ attempt }) => !attempt || !about.has(attempt));
    const open = about.size > 0, waits = standing.waits.filter(({ subject }) => !about.has(subject));
    const key = JSON.stringify([others, waits, open, standing.ended]);
    if (key === this.restKey) return;
    this.restKey = key;
    const words = make("input", { type: "text", "data-typed": true, id: "reason", maxlength: "2000", autocomplete: "off" });
    this.rest.replaceChildren(
      ...(open ? [] : [quiet()]),
      ...(waits.length ? [make("h3", {}, "Waits for"), ...waits.slice(0, 12).map(wait), ...(waits.length > 12 ? [make("p", { class: "sub" }, `and ${plural(waits.length - 12, "thing", "things")} more`)] : [])] : []),
      ...(others.length ? [make("h3", {}, "The flow"), ...others.map((request) => make("div", { class: "other" },
        ask(request, () => (request.words ? words.value.trim() : "")), make("span", {}, request.told.replace(/ \([\w-]+\)$/, ""))))] : []),
      ...(others.some(({ words: field }) => field === "reason") ? [make("label", { class: "noted" }, make("span", {}, "Reason, to cancel"), words)] : []));
  },

  receipt(by, request, tone, name, text) {
    const entry = make("li", { "data-tone": tone }, icon(name), make("span", {}, make("b", {}, by), ` · ${request.told.replace(/ \([\w-]+\)/, "")}`), make("span", { class: "verdict" }, text));
    this.receipts.prepend(entry);
    while (this.receipts.childElementCount > 4) this.receipts.lastElementChild.remove();
  },
};

function quiet() {
  const ended = standing.ended;
  return make("div", { class: "calm" }, icon(ended ? iconOf(standing.status) : "person"),
    make("b", {}, ended ? `The flow has ended: ${standing.status}` : "Nothing waits for you"),
    make("span", {}, ended ? "Nothing is asked any more." : "What is asked of people appears here at once."));
}

function wait({ what, who, subject, due_at_ms: due }) {
  return make("p", { class: "wait" }, make("b", {}, subject ?? "the flow"), ` ${what}`, make("span", { class: "who" }, who), ...(due ? [make("span", { class: "who", title: moment(due) }, until(due))] : []));
}

const until = (due) => (due > Date.now() ? `within ${duration(due - Date.now())}` : "now");

/* --- cards --- */

class Card {
  constructor(kind, data) {
    this.data = data;
    this.parts = { mark: make("span", { class: "mark" }), how: make("p", { class: "how" }), subject: make("div", { class: "subject" }), output: make("div", { class: "outputs" }), acts: make("div", { class: "acts" }) };
    this.note = make("textarea", { rows: "1", "data-typed": true, maxlength: "4000", placeholder: "A note, which stands in the log beside the answer", "aria-label": `Note about ${data.attempt}` });
    const name = make("button", { type: "button", class: "name", title: "Show this step", on: { click: () => conductor.select(data.step) } }, nameOf(data.step));
    this.element = make("article", { class: `card ${kind}`, "data-attempt": data.attempt, "data-tone": kind === "failure" ? "bad" : "wait", "aria-label": `${data.attempt}: ${kind}` },
      make("header", {}, icon(kind === "failure" ? "error" : "asking"), name, make("span", { class: "mono" }, data.attempt)),
      this.parts.how, this.parts.subject, this.parts.output,
      ...(session.read_only ? [] : [make("footer", {}, this.note, this.parts.acts)]));
    this.output();
  }

  draw(data) {
    this.data = data;
    this.parts.how.replaceChildren(...this.how());
    const requests = standing.requests.filter(({ attempt }) => attempt === data.attempt), key = JSON.stringify(requests);
    this.note.hidden = !requests.some(({ words }) => words);
    if (key === this.key) return;
    this.key = key;
    this.parts.acts.replaceChildren(...ordered(requests).map((request) => ask(request, () => this.note.value.trim())));
  }

  /** What the attempt left behind, once it is there. */
  output() {
    const entry = resultOf(this.data.attempt);
    if (!entry || this.shows === entry.seq) return;
    this.shows = entry.seq;
    const subject = entry.event.subject;
    this.parts.subject.replaceChildren(...(subject ? [make("span", {}, "Subject"), make("code", {}, subject)] : []));
    this.parts.output.replaceChildren(...blocks(entry.event.output ?? null).map(part));
  }
}

class Approval extends Card {
  constructor(data) { super("approval", data); }

  how() {
    const { required, given, left, due_at_ms: due, stale_at_ms: stale } = this.data;
    const who = left ? `may be approved by ${left.join(" or ")}` : `may be approved by anybody${given.length ? ` but ${given.join(" and ")}` : ""}`;
    const told = [`${given.length} of ${required} ${required === 1 ? "approval" : "approvals"}`, ...(given.length ? [`by ${given.join(", ")}`] : []), who];
    if (due) told.push(`expires ${until(due)}`);
    if (stale) told.push(stale > Date.now() ? `planned anew after ${duration(stale - Date.now())}` : "an approval has it planned anew");
    return told.map((text) => make("span", {}, text));
  }
}

class Failure extends Card {
  constructor(data) { super("failure", data); }

  how() {
    return [make("span", {}, this.data.error ?? "it failed")];
  }
}

const nameOf = (step) => document.querySelector(`.node[data-step="${CSS.escape(step)}"] .name`)?.textContent ?? step;

/** The entry that brought the result of an attempt. */
const results = new Map();
let searched = 0;
function resultOf(attempt) {
  for (; searched < conductor.entries(); searched += 1) {
    const entry = conductor.entry(searched + 1);
    for (const [record, fields] of entry.patch) if (fields.result) results.set(record, fields.result);
  }
  return results.has(attempt) ? conductor.entry(results.get(attempt)) : null;
}

/* --- outputs --- */

/** An output as named texts, those of several lines first and as they are. */
function blocks(output) {
  if (output === null) return [];
  const named = typeof output === "object" && !Array.isArray(output) ? Object.entries(output) : [["output", output]];
  const told = named.filter(([, value]) => value !== null && value !== "").map(([name, value]) => [name, written(value)]);
  return [...told.filter(([, text]) => !isShort(text)), ...told.filter(([, text]) => isShort(text))];
}

const isShort = (text) => text.length <= 120 && !text.includes("\n");

function written(value) {
  if (typeof value === "string") return value.replace(/\n+$/, "");
  const line = JSON.stringify(value);
  return line.length <= 60 ? line : JSON.stringify(value, null, 2);
}

const part = ([name, text]) => (isShort(text) ? make("p", { class: "fact" }, make("span", {}, name), make("code", {}, text)) : block(name, text));

function block(name, text) {
  const lines = text.split("\n"), more = lines.length - SHOWN, long = more > 0 || text.length > 8000;
  const shown = make("pre", { tabindex: "0", "aria-label": name });
  const fill = (all) => shown.replaceChildren(...(all ? lines : lines.slice(0, SHOWN).map((each) => each.slice(0, 400))).flatMap((each) => [marked(each), "\n"]));
  fill(false);
  const button = make("button", { type: "button", class: "chip", "aria-expanded": "false" }, showing(more));
  button.addEventListener("click", () => {
    const all = button.getAttribute("aria-expanded") === "false";
    fill(all);
    shown.classList.toggle("all", all);
    button.setAttribute("aria-expanded", String(all));
    button.textContent = all ? "Show less" : showing(more);
  });
  return make("figure", {}, make("figcaption", {}, name, make("span", { class: "spread" }), make("span", {}, plural(lines.length, "line", "lines"))), shown, ...(long ? [button] : []));
}

const showing = (more) => (more > 0 ? `Show all, ${plural(more, "more line", "more lines")}` : "Show all");
const SIGNS = { "+": "add", "-": "take", "~": "alter" };
const marked = (text) => make("span", { class: SIGNS[/^\s*([+~-])(?:\s|\/|$)/.exec(text)?.[1]] ?? null }, text);

/* --- asking --- */

const WARM = new Set(["approve", "retry-step", "resume-requested"]);
const COLD = new Set(["deny", "cancel-requested"]);
const LAST = ["retry", "skip-current", "skip-current-and-dependents"];

/** What is asked most stands first. */
const ordered = (requests) => requests.toSorted((a, b) => LAST.indexOf(a.kind) - LAST.indexOf(b.kind));

/** A button that sends a request; what is grave is asked for twice. */
function ask(request, words) {
  const kind = WARM.has(request.kind) ? "warm" : COLD.has(request.kind) ? "cold" : "";
  const button = make("button", { type: "button", class: `act ${kind}`, "data-kind": request.kind, title: request.told }, request.label);
  let armed = 0;
  const calm = () => { clearTimeout(armed); armed = 0; button.textContent = request.label; button.classList.remove("armed"); };
  button.addEventListener("click", () => {
    if (request.grave && !armed) {
      armed = setTimeout(calm, CONFIRM_MS);
      button.textContent = `${request.label}: sure?`;
      button.classList.add("armed");
      return;
    }
    calm();
    send(request, words(), button);
  });
  return button;
}

async function send(request, words, button) {
  const by = actor.value.trim();
  if (!by) {
    actor.closest(".actor").classList.add("missing");
    actor.focus();
    return;
  }
  const event = { ...request.event, ...(request.words && words ? { [request.words]: words } : {}) };
  const key = JSON.stringify([event, by, request.attempt]);
  if (!decide.sent.has(key)) decide.sent.set(key, crypto.randomUUID());
  button.disabled = true;
  try {
    const answer = await fetch(`${API}/requests`, {
      method: "POST", headers: { "Content-Type": "application/json", ...signed() },
      body: JSON.stringify({ event: { ...event, request_id: decide.sent.get(key) }, by, attempt: request.attempt }),
    });
    const told = await answer.json();
    decide.sent.delete(key);
    if (unknown(answer, told)) signIn();
    else if (!answer.ok) decide.receipt(by, request, "bad", "denied", `not asked: ${told.error.message}`);
    else receive(by, request, told);
  } catch {
    decide.receipt(by, request, "wait", "clock", "no answer; press again, it counts once");
  } finally {
    button.disabled = false;
  }
}

function receive(by, request, { verdict, code, message }) {
  if (verdict === "accepted") decide.receipt(by, request, "good", "success", "accepted");
  else if (verdict === "ignored") decide.receipt(by, request, "wait", "gone", `ignored: ${code}`);
  else decide.receipt(by, request, "bad", "denied", `rejected: ${code}${message ? ` (${message})` : ""}`);
}

/* --- keys --- */

addEventListener("keydown", (event) => {
  if (event.key !== "d" || event.ctrlKey || event.metaKey || event.altKey || $("help").open || event.target.matches?.("input:not([type=range]), textarea")) return;
  event.preventDefault();
  conductor.open("decide");
  (decide.root.querySelector(".card .act") ?? decide.root.querySelector(".act") ?? $("panel")).focus();
});

/** The theme that somebody chose is that of all pages in this tab. */
function keepTheme() {
  const root = document.documentElement;
  conductor.theme(sessionStorage.getItem("conductor-theme") ?? "");
  new MutationObserver(() => sessionStorage.setItem("conductor-theme", root.dataset.theme ?? "")).observe(root, { attributeFilter: ["data-theme"] });
}

/** Show what is known of the flow; or say why nothing is, and tell that it is not. */
async function arrive() {
  const answer = await fetch(API, { headers: signed() }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (answer?.ok) { show([told]); return true; }
  if (answer && unknown(answer, told)) { signIn(); return false; }
  const message = told?.error?.message ?? "conductor ui does not answer";
  $("main").replaceChildren(make("section", { class: "pane calm", role: "alert" }, icon("error"), make("b", {}, "The flow cannot be shown"), make("span", {}, message), make("a", { href: "/" }, "All flows")));
  document.querySelector(".time")?.remove();
  document.documentElement.dataset.failed = "";
  return false;
}

async function begin() {
  session = (await ofSession()) ?? session;
  if (!session.read_only && !session.signed_in) { signIn(); return; }
  if (!await arrive()) return;
  actor.value = sessionStorage.getItem("conductor-by") ?? session.by ?? "";
  document.documentElement.classList.toggle("read-only", session.read_only);
  $("help").querySelector("dl").append(make("div", {}, make("dt", {}, make("kbd", {}, "d")), make("dd", {}, "decide: what people are asked")));
  keepTheme();
  drawTop();
  decide.begin();
  line.open();
  document.documentElement.dataset.live = "";
}

begin();
