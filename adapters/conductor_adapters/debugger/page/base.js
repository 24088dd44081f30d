"use strict";
/* What the scripts of all pages share: statuses and times in words, and how a document is made.

   Rule: text reaches a document as text alone, and what nobody would see of it is written out
   (`make`, `plain`). */

/* --- words --- */

const TONES = {
  "pending": ["idle", "pending"], "queued": ["run", "queued"], "in-progress": ["run", "running"],
  "waiting-to-retry": ["retry", "clock"], "failed-pending-retry": ["retry", "error"],
  "approval-awaiting": ["wait", "asking"], "paused": ["wait", "paused"], "cancelling": ["gone", "cancelled"],
  "success": ["good", "success"], "error": ["bad", "error"], "approval-denied": ["bad", "denied"],
  "approval-expired": ["bad", "clock"], "cancelled": ["gone", "cancelled"],
  "auto-skipped": ["gone", "skipped"], "user-skipped": ["gone", "skipped"],
  "discarded": ["gone", "gone"], "not-attempted": ["gone", "gone"],
};
const toneOf = (status) => (Object.hasOwn(TONES, status) ? TONES[status] : TONES.pending)[0];
const iconOf = (status) => (Object.hasOwn(TONES, status) ? TONES[status] : TONES.pending)[1];

const number = (n) => n.toLocaleString("en");
const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

function moment(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString().replace("T", " ").replace("Z", " UTC");
}

function duration(ms) {
  const sign = ms < 0 ? "−" : "", all = Math.abs(ms);
  if (all < 1000) return `${sign}${all} ms`;
  if (all < 60_000) return `${sign}${(all / 1000).toFixed(all < 10_000 ? 2 : 1)} s`;
  const parts = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];
  const first = parts.findIndex(([, unit]) => all >= unit);
  let rest = all;
  return sign + parts.slice(first, first + 2).map(([name, unit]) => {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    return `${count} ${name}`;
  }).join(" ");
}

/* What has no shape of its own, or turns the order of what stands around it. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u2800\u3164\uffa0]/gu;
const AS_IT_IS = "\t\n";

/** Text that others wrote and somebody is to rely on: what would not be seen is written escaped. */
const plain = (text) => text.replace(UNSEEN, (char) => (AS_IT_IS.includes(char) ? char : escapeOf(char.codePointAt(0).toString(16))));
const escapeOf = (code) => (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`);

/* --- the document --- */

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

const READ = new Set(["title", "aria-label", "placeholder"]);

/** An element; strings become plain text, and nothing becomes markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : READ.has(name) ? plain(value) : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== "").map((child) => (child instanceof Node ? child : plain(String(child)))));
  return element;
}

function icon(name, label) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  if (label) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", label); } else svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const pill = (status, small) => make("span", { class: small ? "pill small" : "pill", "data-tone": toneOf(status) }, icon(iconOf(status)), status);
