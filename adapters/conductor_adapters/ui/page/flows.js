"use strict";
/* The flows of a store, as they are now: filtered, a page at a time, looked at again and again.

   Rule: a row is kept while its flow is listed, so that focus stays where it is; what is wanted
   stands in the address, so that it can be kept and sent. */

const LOOK_MS = 2000;
const KINDS = [["", "All"], ["people", "Waiting for people"], ["running", "Running"], ["failed", "Failed"], ["done", "Done"]];
const asked = new URLSearchParams(location.search);
const wanted = { kind: asked.get("kind") ?? "", text: asked.get("text") ?? "", page: Number(asked.get("page")) || 1 };
const rows = new Map();   // flow -> its row and what stands in it
const waits = new Map();  // flow -> what it waits for
let shown = { flows: [], page: 1, pages: 1 };
let turn = 0, timer = 0;

/* --- looking --- */

async function look() {
  clearTimeout(timer);
  const mine = turn += 1;
  const answer = await ask(`/api/flows?${query()}`);
  if (mine !== turn) return;
  if (answer) {
    shown = answer;
    draw();
    await lookAtWaits();
  }
  if (mine === turn && !document.hidden) timer = setTimeout(look, LOOK_MS);
}

async function lookAtWaits() {
  const open = shown.flows.filter(({ status }) => !["success", "error", "cancelled"].includes(status));
  if (!open.length) return;
  const answer = await ask(`/api/waits?${new URLSearchParams(open.map(({ flow_id: id }) => ["flow", id]))}`);
  if (!answer) return;
  for (const [id, told] of Object.entries(answer)) waits.set(id, told);
  draw();
}

async function ask(url) {
  const answer = await fetch(url, { headers: signed() }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (answer && unknown(answer, told)) { signIn(); return null; }
  const message = !answer ? "" : answer.ok ? "" : told?.error.message ?? "the answer makes no sense";
  $("banner").textContent = plain(message);
  $("banner").hidden = !message;
  $("line-state").dataset.tone = answer?.ok ? "good" : "wait";
  $("line-state").dataset.state = answer?.ok ? "live" : "lost";
  $("line-state").textContent = answer?.ok ? "Live" : "Reconnecting";
  return answer?.ok ? told : null;
}

function query() {
  const told = new URLSearchParams();
  if (wanted.kind) told.set("kind", wanted.kind);
  if (wanted.text) told.set("text", wanted.text);
  if (wanted.page > 1) told.set("page", wanted.page);
  return told;
}

function want(some) {
  Object.assign(wanted, { page: 1 }, some);
  const told = query().toString();
  history.replaceState(null, "", told ? `?${told}` : location.pathname);
  look();
}

/* --- drawing --- */

function draw() {
  const { flows, count, page, pages, size } = shown;
  wanted.page = page;
  for (const [id, { element }] of rows) if (!flows.some((flow) => flow.flow_id === id)) { element.remove(); rows.delete(id); }
  flows.forEach((flow, index) => {
    const row = rows.get(flow.flow_id) ?? made(flow);
    fill(row, flow);
    if ($("rows").children[index] !== row.element) $("rows").insertBefore(row.element, $("rows").children[index] ?? null);
  });
  $("nothing").hidden = flows.length > 0;
  $("nothing").textContent = shown.all || wanted.text ? "No flow matches." : "No flow was started in this store yet.";
  const first = (page - 1) * size;
  $("range").textContent = flows.length ? `${number(first + 1)}–${number(first + flows.length)} of ${number(count)}${shown.more ? ", of those that began last" : ""}` : "";
  $("page").textContent = `${number(page)} of ${number(pages)}`;
  $("back").disabled = page <= 1;
  $("next").disabled = page >= pages;
  for (const button of $("kinds").children) {
    const kind = button.dataset.kind;
    button.setAttribute("aria-pressed", String(kind === wanted.kind));
    button.lastChild.textContent = number(kind ? shown.kinds[kind] : shown.all);
  }
}

function made(flow) {
  const parts = { status: make("td", {}), waits: make("td", { class: "waits" }), began: make("td", { class: "at" }), changed: make("td", { class: "at" }) };
  const link = make("a", { href: `/flows/${encodeURIComponent(flow.flow_id)}` }, flow.flow_id);
  const element = make("tr", { "data-flow": flow.flow_id }, make("td", { class: "flow-id" }, link, make("span", {}, flow.type)), parts.status, parts.waits, parts.began, parts.changed);
  const row = { element, parts, link };
  rows.set(flow.flow_id, row);
  return row;
}

function fill({ element, parts }, flow) {
  if (element.dataset.status !== flow.status) {
    element.dataset.status = flow.status;
    parts.status.replaceChildren(pill(flow.status));
  }
  time(parts.began, flow.began_ms);
  time(parts.changed, flow.changed_ms);
  const ended = ["success", "error", "cancelled"].includes(flow.status), told = ended ? [] : waited(waits.get(flow.flow_id));
  const key = told.map(([text]) => text).join("\n");
  if (parts.waits.dataset.key === key) return;
  parts.waits.dataset.key = key;
  parts.waits.replaceChildren(...told.map(([text, who]) => make("span", { class: who === "person" ? "for-people" : "", title: text }, text)));
}

function waited(told) {
  if (!told) return [];
  const lines = told.waits.map(({ what, who, subject }) => [`${subject ? `${subject}: ` : ""}${what}`, who]);
  if (told.error) lines.push([told.error, "trouble"]);
  if (told.more) lines.push([`and ${number(told.more)} more`, ""]);
  return lines;
}

function time(cell, ms) {
  const ago = Date.now() - ms, text = ago < 1000 ? "just now" : `${duration(Math.floor(ago / 1000) * 1000).replace(/\.0+(?= s)/, "")} ago`;
  if (cell.textContent !== text) cell.textContent = text;
  cell.title = moment(ms);
}

/* --- hands --- */

const THEMES = [["", "as the system has it"], ["light", "light"], ["dark", "dark"]];

function turnTheme() {
  const here = THEMES.findIndex(([name]) => name === (document.documentElement.dataset.theme ?? ""));
  showTheme(THEMES[(here + 1) % THEMES.length][0]);
}

/** Show a theme, and keep it for all pages in this tab. */
function showTheme(wanted) {
  const [name, told] = THEMES.find(([each]) => each === wanted) ?? THEMES[0], root = document.documentElement;
  if (name) root.dataset.theme = name; else delete root.dataset.theme;
  $("theme").setAttribute("aria-label", `Theme: ${told}`);
  sessionStorage.setItem("conductor-theme", name);
}

function stepRow(by) {
  const links = [...$("rows").querySelectorAll("a")], here = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by))]?.focus();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("text")) {
    if (event.key === "Escape") { $("text").value = ""; want({ text: "" }); $("text").blur(); }
    if (event.key === "Enter" || event.key === "ArrowDown") { stepRow(1); event.preventDefault(); }
    return;
  }
  const acts = {
    "/": () => { $("text").focus(); $("text").select(); }, t: turnTheme,
    j: () => stepRow(1), ArrowDown: () => stepRow(1), k: () => stepRow(-1), ArrowUp: () => stepRow(-1),
    ArrowLeft: () => turnPage(-1), ArrowRight: () => turnPage(1),
  };
  if (!Object.hasOwn(acts, event.key)) return;
  acts[event.key]();
  event.preventDefault();
}

function turnPage(by) {
  const page = wanted.page + by;
  if (page >= 1 && page <= shown.pages) want({ page });
}

showTheme(sessionStorage.getItem("conductor-theme") ?? "");
$("about").textContent = plain(JSON.parse($("data").textContent).store);
$("kinds").replaceChildren(...KINDS.map(([kind, name]) => make("button", { type: "button", class: "chip", "data-kind": kind, "aria-pressed": "false", on: { click: () => want({ kind }) } }, name, make("span", { class: "count" }))));
$("text").value = wanted.text;
$("text").addEventListener("input", () => want({ text: $("text").value.trim() }));
$("theme").addEventListener("click", turnTheme);
$("back").addEventListener("click", () => turnPage(-1));
$("next").addEventListener("click", () => turnPage(1));
addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
ofSession().then((session) => { if (session?.signed_in) document.querySelector(".top").append(signOut()); });
look().then(() => { document.documentElement.dataset.ready = ""; });
