/* The page of the debugger: a log to scrub through, or two side by side.

   Theory. The page is given views (adapters/conductor_adapters/debugger/view.py): a header, the
   groups, and entries, each with a patch. It holds no states but one of each log, as records: the
   flow's under "", a group's under "@key", an attempt's under its id. To move forward is to apply
   patches, to move back is to put the records back that they replaced; records are never changed,
   so what is kept for the way back is a reference. To scrub over all of a log of 10,000 entries
   takes milliseconds, and what changed since the last picture is all that is drawn anew.

   A row is what is looked at: an entry, or of two logs the entries that answer each other: the
   same kind of event about the same attempt for the same time. The cursor is the number of rows
   that have happened; row 0 does not exist, at cursor 0 nothing has.

   Rules. What was recorded reaches the document as text alone (`make`); the policy of the page
   forbids anything else. Only what is visible of a list exists. Everything that is shown follows
   from the views, the cursor and the filters: `App.draw` draws it, once a frame at most.

   For others: window.conductor. `append(entries, log)` adds entries that came later, `seek(n)`
   moves, `statuses(log)` tells the status of every step; see the end of this text. */

/* --- words --- */

const ACTIVE = new Set(["queued", "in-progress", "waiting-to-retry", "approval-awaiting", "failed-pending-retry"]);
const FINISHED_AS = { succeeded: "success", failed: "error", cancelled: "cancelled" };
const stepOf = (attempt) => attempt.slice(0, attempt.lastIndexOf("#"));
const countOf = (attempt) => Number(attempt.slice(attempt.lastIndexOf("#") + 1));

/** What a command asks for, in words. */
function commanded(command) {
  switch (command.type) {
    case "dispatch-step": return `dispatch ${command.attempt}`;
    case "request-approval": return `ask for approval of ${command.attempt}`;
    case "cancel-futures": return `cancel ${command.attempts.join(", ")}`;
    case "schedule-timer": return `timer ${command.timer} in ${duration(command.delay_ms)}`;
    case "cancel-timer": return `drop timer ${command.timer}`;
    case "generate-steps": return "generate groups";
    case "continue-as-new": return "continue as new";
    case "finish-flow": return `finish as ${command.outcome.status}`;
    default: return command.type;
  }
}

/** The commands of an entry on one line, what matters most first. */
function commandsOf(entry) {
  const dispatched = entry.commands.filter((each) => each.type === "dispatch-step").map((each) => each.attempt);
  const timers = (each) => each.type.endsWith("-timer");
  const told = entry.commands.filter((each) => each.type !== "dispatch-step" && !timers(each)).map(commanded);
  if (dispatched.length) {
    const more = dispatched.length > 3 ? ` and ${number(dispatched.length - 3)} more` : "";
    told.unshift(`dispatch ${dispatched.slice(0, 3).join(", ")}${more}`);
  }
  const some = entry.commands.filter(timers);
  if (some.length) told.push(some.length === 1 ? commanded(some[0]) : plural(some.length, "timer", "timers"));
  return told.join(" · ");
}

const isAccepted = (entry) => entry.verdict === "accepted";
const isFailure = (entry) => entry.patch.some(([record, fields]) => record.includes("#") && toneOf(fields.status) === "bad");

function verdictOf(entry) {
  if (isAccepted(entry)) return ["", "accepted"];
  const { ignored, rejected, message } = entry.verdict;
  return ignored === undefined ? ["refused", `rejected: ${rejected}${message ? `, ${message}` : ""}`] : ["ignored", `ignored: ${ignored}`];
}

/** The tone and the icon of an entry. */
function markOf(entry) {
  if (!isAccepted(entry)) return ["bad", "denied"];
  const event = entry.event;
  if (event.type === "step-finished") {
    const status = entry.patch.find(([record]) => record === event.attempt)?.[1].status ?? FINISHED_AS[event.outcome];
    return [toneOf(status), iconOf(status)];
  }
  if (entry.request) return event.response === "deny" ? ["bad", "person"] : ["person", "person"];
  if (event.type === "step-started") return ["run", "running"];
  if (event.type === "timer-fired") return ["retry", "clock"];
  return event.type === "generation-failed" ? ["bad", "error"] : ["idle", "flow"];
}

/** What an event is about: an attempt, a step, a group, a timer. */
const aboutOf = (event) => event.attempt ?? event.step ?? event.step_id ?? event.timer ?? event.group ?? "";

/* --- a log --- */

class Run {
  constructor(view) {
    Object.assign(this, { view, name: view.name, entries: [], at: 0 });
    this.groups = [];
    this.steps = new Map();      // key -> { key, spec, group }
    this.records = new Map([["", { status: "pending", ...view.flow }]]);
    this.latest = new Map();     // step -> number of its live attempt at `at`
    this.tracks = new Map();     // step or "@group" -> [[entry, status], ...] over the whole log
    this.newest = new Map();     // step -> number of its newest attempt in the whole log
    this.back = [];              // of every entry that was applied once: what its patch replaced
    this.declare(view.groups, 0);
    this.append(view.entries);
  }

  declare(groups, since) {
    for (const spec of groups) {
      const group = { key: spec.key, spec, since, index: this.groups.length };
      this.groups.push(group);
      this.tracks.set(`@${spec.key}`, []);
      for (const step of spec.steps) {
        this.steps.set(step.key, { key: step.key, spec: step, group });
        this.tracks.set(step.key, []);
      }
    }
  }

  /** Take entries that follow; those that are there are passed over. */
  append(entries) {
    let added = 0;
    for (const entry of entries) {
      if (entry.seq <= this.entries.length) continue;
      if (entry.seq !== this.entries.length + 1) throw new RangeError(`entry ${entry.seq} does not follow ${this.entries.length}`);
      this.entries.push(entry);
      added += 1;
      if (entry.groups) this.declare(entry.groups, entry.seq);
      for (const [record, fields] of entry.patch) if (fields.status !== undefined) this.trace(entry.seq, record, fields.status);
    }
    return added;
  }

  trace(seq, record, status) {
    if (record.startsWith("@")) this.tracks.get(record)?.push([seq, status]);
    if (!record.includes("#")) return;
    const step = stepOf(record), n = countOf(record);
    if (n < (this.newest.get(step) ?? 1)) return;
    this.newest.set(step, n);
    this.tracks.get(step)?.push([seq, status]);
  }

  record(name) {
    return this.records.get(name) ?? { status: "pending" };
  }

  attemptOf(step) {
    return `${step}#${this.latest.get(step) ?? 1}`;
  }

  statusOf(step) {
    return this.record(this.attemptOf(step)).status;
  }

  /** Move to where n entries have happened; tells the records that changed. */
  seek(n) {
    const changed = new Set();
    while (this.at < n) this.forward(changed);
    while (this.at > n) this.backward(changed);
    return changed;
  }

  forward(changed) {
    const entry = this.entries[this.at];
    this.at += 1;
    this.back[this.at] = entry.patch.map(([name, fields]) => {
      const before = this.records.get(name);
      this.records.set(name, { ...(before ?? { status: "pending" }), ...fields });
      if (name.includes("#") && countOf(name) > (this.latest.get(stepOf(name)) ?? 1)) this.latest.set(stepOf(name), countOf(name));
      changed.add(name);
      return [name, before];
    });
  }

  backward(changed) {
    for (const [name, before] of this.back[this.at].toReversed()) {
      if (before === undefined) this.records.delete(name); else this.records.set(name, before);
      if (before === undefined && name.includes("#") && countOf(name) > 1) this.latest.set(stepOf(name), countOf(name) - 1);
      changed.add(name);
    }
    this.at -= 1;
  }

  /** Every field that an entry changed, with what it was. */
  changes(seq) {
    const here = this.at;
    this.seek(seq);
    const before = new Map(this.back[seq]);
    const told = this.entries[seq - 1].patch.map(([record, fields]) => ({
      record, status: fields.status ?? before.get(record)?.status ?? "pending",
      fields: Object.entries(fields).map(([name, value]) => [name, before.get(record)?.[name] ?? (name === "status" ? "pending" : null), value]),
    }));
    this.seek(here);
    return told;
  }

  /** The attempts of a step that exist, oldest first. */
  attemptsOf(step) {
    return Array.from({ length: this.latest.get(step) ?? 1 }, (_, n) => `${step}#${n + 1}`);
  }

  since(entry) {
    return entry.event.at_ms - this.view.at_ms;
  }

  /** The steps that an entry is about. */
  stepsOf(entry) {
    const found = new Set(entry.patch.filter(([record]) => record.includes("#")).map(([record]) => stepOf(record)));
    const about = aboutOf(entry.event), attempt = about.slice(about.indexOf(":") + 1);
    for (const name of [about, attempt, stepOf(`${attempt}`)]) if (this.steps.has(name)) found.add(name);
    return found;
  }
}

/* --- rows: entries, or pairs of them --- */

class Rows {
  constructor(runs) {
    this.runs = runs;
    this.build();
  }

  get length() {
    return this.rows.length;
  }

  build() {
    const [a, b] = this.runs;
    this.rows = b ? Rows.paired(a, b) : a.entries.map((_, index) => [index + 1]);
    this.seen = [];
    const last = [0, 0];
    for (const row of this.rows) {
      row.forEach((seq, side) => { last[side] = Math.max(last[side], seq); });
      this.seen.push(b ? [last[0], last[1]] : [last[0]]);
    }
  }

  /** The entries of two logs, each beside its like; what has none stands alone, in its order. */
  static paired(a, b) {
    const keysOf = (run) => {
      const counts = new Map();
      return run.entries.map(({ event }) => {
        const key = `${event.type} ${aboutOf(event)}`, count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return `${key} ${count}`;
      });
    };
    const where = new Map(keysOf(b).map((key, index) => [key, index + 1]));
    const rows = keysOf(a).map((key, index) => [index + 1, where.get(key) ?? 0]);
    const alone = new Map(), anchors = new Map(rows.filter((row) => row[1]).map((row) => [row[1], row]));
    let anchor = null;
    for (let seq = 1; seq <= b.entries.length; seq += 1) {
      if (anchors.has(seq)) anchor = anchors.get(seq);
      else if (alone.has(anchor)) alone.get(anchor).push([0, seq]);
      else alone.set(anchor, [[0, seq]]);
    }
    return [...(alone.get(null) ?? []), ...rows.flatMap((row) => [row, ...(alone.get(row) ?? [])])];
  }

  /** The entries of a row, with null where a log has none. */
  entries(row) {
    return this.rows[row - 1].map((seq, side) => (seq ? this.runs[side].entries[seq - 1] : null));
  }

  /** The row of an entry. */
  find(seq, side = 0) {
    return this.rows.findIndex((row) => row[side] === seq) + 1;
  }

  /** Whether two logs part in a row, times left out. */
  differs(row) {
    const [a, b] = this.entries(row);
    return this.runs.length > 1 && (!a || !b || Rows.essence(a) !== Rows.essence(b));
  }

  static essence({ event, verdict, commands }) {
    return JSON.stringify([event, verdict, commands], (key, value) => (key.endsWith("at_ms") || key === "idempotency_key" ? undefined : value));
  }
}

const sideMark = (side) => make("span", { class: side ? "side second" : "side", role: "img", "aria-label": side ? "second log" : "first log" }, side ? "B" : "A");
const pretty = (value) => make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));

/* --- the timeline --- */

class Timeline {
  static STEPS = 14;    // so many lanes have names
  static LANES = 400;   // so many groups have lanes

  constructor(app) {
    this.app = app;
    this.track = $("track");
    this.canvas = $("canvas");
    this.range = $("range");
    new ResizeObserver(() => this.draw()).observe(this.track);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.track.addEventListener("pointerdown", (event) => {
      this.track.setPointerCapture(event.pointerId);
      this.range.focus({ preventScroll: true });
      this.point(event);
    });
    this.track.addEventListener("pointermove", (event) => { if (event.buttons & 1) this.point(event); });
    this.range.addEventListener("input", () => app.seek(Number(this.range.value)));
  }

  point(event) {
    const box = this.track.getBoundingClientRect();
    this.app.seek(Math.round(((event.clientX - box.left) / box.width) * this.app.rows.length));
    event.preventDefault();
  }

  /** What has a lane: steps if they are few, else groups, else nothing but marks. */
  lanes() {
    const run = this.app.runs[0];
    if (run.steps.size <= Timeline.STEPS) return [...run.steps.keys()];
    return run.groups.length <= Timeline.LANES ? run.groups.map((group) => `@${group.key}`) : [];
  }

  draw() {
    const lanes = this.lanes(), named = lanes.length <= Timeline.STEPS;
    const lane = named ? 13 : Math.max(0.5, Math.min(8, 110 / lanes.length));
    $("lanes").hidden = !named;
    $("lanes").replaceChildren(...(named ? lanes.map((name) => make("li", { title: name }, name.replace("@", ""))) : []));
    const width = this.track.clientWidth, height = Math.round(14 + Math.max(lanes.length * lane, 10)), ratio = devicePixelRatio || 1;
    this.track.style.height = `${height}px`;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    this.colours = this.resolve();
    lanes.forEach((name, index) => this.lane(pen, name, 14 + index * lane, lane, width));
    this.marks(pen, width);
    this.place();
  }

  /** Colours as the theme has them now; a canvas knows no variables. */
  resolve() {
    const probe = make("span");
    document.body.append(probe);
    const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
    const found = Object.fromEntries(["idle", "run", "wait", "retry", "good", "bad", "gone", "person"].map((name) => [name, colour(`fill-${name}`)]));
    found.line = colour("line");
    probe.remove();
    return found;
  }

  lane(pen, name, top, lane, width) {
    const run = this.app.runs[0], end = this.app.rows.length, thick = lane > 6 ? lane - 5 : lane, x = (row) => (row / end) * width;
    if (lane > 6) { pen.fillStyle = this.colours.line; pen.fillRect(0, top + lane / 2 - 0.5, width, 1); }
    const track = run.tracks.get(name);
    track.forEach(([seq, status], index) => {
      const from = x(this.app.rowOf(seq) - 0.5), to = index + 1 < track.length ? x(this.app.rowOf(track[index + 1][0]) - 0.5) : width;
      const active = ACTIVE.has(status), high = active || lane <= 2 ? thick : Math.min(3, thick);
      if (status === "pending") return;
      pen.fillStyle = this.colours[toneOf(status)];
      pen.globalAlpha = status === "queued" ? 0.45 : active || toneOf(status) === "bad" ? 1 : 0.6;
      pen.beginPath();
      pen.roundRect(from, top + (lane - high) / 2, Math.max(to - from - (lane > 6 && active ? 1 : 0), 1), high, active && lane > 6 ? 3 : 0);
      pen.fill();
      pen.globalAlpha = 1;
      if (!active && lane > 6) this.dot(pen, from, top + lane / 2, toneOf(status));
    });
  }

  dot(pen, x, y, tone) {
    pen.beginPath();
    if (tone === "bad") pen.rect(x - 3.5, y - 3.5, 7, 7); else pen.arc(x, y, 3.5, 0, 7);
    pen.fill();
  }

  /** Above the lanes: what people did, and what was refused or failed. */
  marks(pen, width) {
    const end = this.app.rows.length;
    for (let row = 1; row <= end; row += 1) {
      for (const entry of this.app.rows.entries(row)) {
        if (!entry || !(entry.request || isFailure(entry))) continue;
        const x = ((row - 0.5) / end) * width, person = entry.request && isAccepted(entry);
        pen.fillStyle = person ? this.colours.person : this.colours.bad;
        pen.beginPath();
        if (person) { pen.moveTo(x - 3.5, 2); pen.lineTo(x + 3.5, 2); pen.lineTo(x, 9); } else pen.rect(x - 1, 1, 2, 9);
        pen.fill();
      }
    }
  }

  place() {
    const { cursor, rows } = this.app, share = rows.length ? cursor / rows.length : 0;
    this.range.max = rows.length;
    this.range.value = cursor;
    this.range.setAttribute("aria-valuetext", this.app.told(cursor));
    $("cursor").style.transform = `translateX(${share * this.track.clientWidth}px)`;
  }
}

/* --- the list of events --- */

class List {
  static SPARE = 8;

  constructor(app) {
    this.app = app;
    this.box = $("list");
    this.sizer = $("sizer");
    this.drawn = new Map();
    this.box.addEventListener("scroll", () => this.window(), { passive: true });
    new ResizeObserver(() => this.window()).observe(this.box);
    this.sizer.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) app.seek(Number(row.dataset.row));
    });
    if (app.runs.length > 1) {
      $("columns").hidden = false;
      $("columns").replaceChildren(...app.runs.map((run, side) => make("span", { title: run.name }, sideMark(side), run.name)));
    }
  }

  /** Draw anew which rows there are: after a filter, or when some came. */
  reset() {
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
    this.sizer.style.height = `${this.app.shown.length * this.height}px`;
    $("nothing").hidden = this.app.shown.length > 0;
    const all = this.app.rows.length, some = this.app.shown.length;
    $("count").textContent = some === all ? number(all) : `${number(some)} of ${number(all)}`;
    this.window();
  }

  get height() {
    this.row ??= parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
    return this.row;
  }

  /** Only the rows in sight exist. */
  window() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - List.SPARE);
    const last = Math.min(this.app.shown.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + List.SPARE);
    for (const [index, element] of this.drawn) if (index < first || index >= last) { element.remove(); this.drawn.delete(index); }
    for (let index = first; index < last; index += 1) {
      if (this.drawn.has(index)) continue;
      const element = this.make(index);
      this.drawn.set(index, element);
      this.sizer.append(element);
    }
    this.mark();
  }

  make(index) {
    const row = this.app.shown[index], differs = this.app.rows.differs(row);
    const element = make("div", {
      class: differs ? "row differs" : "row", role: "option", id: `row-${row}`, "data-row": row,
      "aria-posinset": index + 1, "aria-setsize": this.app.shown.length,
    }, ...this.app.rows.entries(row).map((entry, side) => (entry ? this.cell(entry, this.app.runs[side]) : make("div", { class: "cell" }))));
    element.style.transform = `translateY(${index * this.height}px)`;
    return element;
  }

  cell(entry, run) {
    const [tone, name] = markOf(entry), [kind, verdict] = verdictOf(entry), commands = commandsOf(entry);
    return make("div", { class: "cell", "data-tone": tone },
      make("span", { class: "seq" }, String(entry.seq)), icon(name),
      make("span", { class: "told", title: entry.told }, entry.told),
      make("span", { class: "at", title: moment(entry.event.at_ms) }, `+${duration(run.since(entry))}`),
      make("span", { class: "then" }, make("span", { class: kind }, verdict), ...(commands ? [" → ", make("b", {}, commands)] : [])));
  }

  /** Show which row is the last that happened. */
  mark() {
    const { cursor } = this.app;
    for (const element of this.drawn.values()) {
      const row = Number(element.dataset.row);
      element.setAttribute("aria-selected", String(row === cursor));
      element.classList.toggle("later", row > cursor);
    }
    if (document.getElementById(`row-${cursor}`)) this.box.setAttribute("aria-activedescendant", `row-${cursor}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** Bring the row of the cursor into sight, or the one before it that is listed. */
  follow() {
    const index = Math.max(0, this.app.listed(this.app.cursor)), top = index * this.height;
    const above = top < this.box.scrollTop, below = top + this.height > this.box.scrollTop + this.box.clientHeight;
    if (above || below) this.box.scrollTop = top - (this.box.clientHeight - this.height) / 2;
    this.window();
  }
}

/* --- the flow as a graph --- */

class Graph {
  static TILES = 16;    // groups of more steps are drawn as tiles
  static EDGES = 300;   // so many needs are drawn unasked

  constructor(app, run, side) {
    Object.assign(this, { app, run, side, nodes: new Map(), boxes: new Map(), now: [] });
    this.edges = document.createElementNS(SVG, "svg");
    this.edges.setAttribute("class", "edges");
    this.edges.setAttribute("aria-hidden", "true");
    this.canvas = make("div", { class: "canvas" });
    this.scroll = make("div", { class: "scroll", role: "group", "aria-label": `Flow of ${run.name}` },
      app.runs.length > 1 ? make("div", { class: "which" }, sideMark(side), run.name) : "", this.canvas);
    this.canvas.addEventListener("click", (event) => {
      const node = event.target.closest("[data-step]");
      if (node) app.select(node.dataset.step);
    });
    for (const [type, step] of [["pointerover", (event) => event.target.closest("[data-step]")?.dataset.step], ["pointerout", () => null]]) {
      this.canvas.addEventListener(type, (event) => this.light(step(event) ?? app.step));
    }
    this.build();
    new ResizeObserver(() => this.wire()).observe(this.canvas);
  }

  build() {
    const missing = this.run.groups.slice(this.boxes.size).map((group) => this.box(group));
    this.canvas.append(...missing);
    if (!this.edges.isConnected) this.canvas.prepend(this.edges);
    this.counts = null;
  }

  box(group) {
    const { spec } = group, parallel = spec.at_once !== undefined, big = spec.steps.length > Graph.TILES;
    const how = !parallel ? "" : spec.at_once < spec.steps.length ? `in parallel, ${spec.at_once} at a time` : "in parallel";
    const nodes = spec.steps.map((step) => (big ? this.tile(step) : this.node(step)));
    const row = parallel || big ? nodes : nodes.flatMap((node, index) => (index ? [this.arrow(), node] : [node]));
    const status = make("span", { class: "status" });
    const box = make("section", { class: `group${parallel ? " parallel" : ""}${big ? " big" : ""}`, "aria-label": `Group ${spec.name ?? spec.key}` },
      make("h3", {}, spec.name ?? spec.key, make("span", { class: "how" }, how), make("span", { class: "spread" }), status),
      make("div", { class: big ? "nodes tiles" : "nodes" }, ...row));
    const stage = make("div", { class: "stage" }, group.index ? make("div", { class: "link" }) : "", box);
    this.boxes.set(`@${spec.key}`, { stage, status, group });
    return stage;
  }

  arrow() {
    const arrow = icon("next");
    arrow.setAttribute("class", "icon arrow");
    return arrow;
  }

  node(step) {
    const parts = { mark: make("span", { class: "mark" }), word: make("span", { class: "word" }), id: make("span", { class: "mono" }), asks: make("span", { class: "asks" }) };
    const element = make("button", { type: "button", class: "node", "data-step": step.key, "aria-pressed": "false" },
      parts.mark, make("span", { class: "name", title: step.name ?? step.key }, step.name ?? step.key),
      make("span", { class: "meta" }, parts.word, " ", parts.id), parts.asks);
    this.nodes.set(step.key, { element, parts, step });
    return element;
  }

  tile(step) {
    const element = make("button", { type: "button", class: "tile", "data-step": step.key, "aria-pressed": "false" });
    this.nodes.set(step.key, { element, parts: null, step });
    return element;
  }

  /** Draw what changed; all of it the first time. */
  draw(changed) {
    const all = this.counts === null;
    this.counts ??= new Map();
    const steps = all ? this.nodes.keys() : new Set([...changed].filter((name) => name.includes("#")).map(stepOf));
    for (const step of steps) this.drawStep(step);
    for (const [name, { stage, status, group }] of this.boxes) {
      const hidden = group.since > this.run.at;
      if (stage.hidden !== hidden) stage.hidden = hidden;
      if (all || changed.has(name)) status.replaceChildren(pill(this.run.record(name).status, true));
    }
    this.ring();
    this.light(this.app.step);
  }

  drawStep(step) {
    const { element, parts, step: spec } = this.nodes.get(step) ?? {};
    if (!element) return;
    const id = this.run.attemptOf(step), record = this.run.record(id), { status } = record;
    this.count(element.dataset.status, -1);
    this.count(status, 1);
    element.dataset.status = status;
    element.dataset.tone = toneOf(status);
    if (!parts) {
      element.title = `${id}: ${status}`;
      element.setAttribute("aria-label", element.title);
      return;
    }
    parts.mark.replaceChildren(icon(iconOf(status)));
    parts.word.textContent = plain(status + (record.reason ? ` (${record.reason})` : ""));
    parts.id.textContent = id;
    parts.asks.textContent = plain(Graph.asks(spec, record));
  }

  static asks(spec, record) {
    if (record.automatic) return `approved automatically (${record.automatic})`;
    if (spec.required === undefined && record.asked_at_ms === undefined) return "";
    const needed = spec.required ?? 1, answers = record.answers ?? [];
    if (answers.length) return answers.join(", ");
    return needed === 1 ? "asks for approval" : `asks for ${needed} approvals`;
  }

  count(status, by) {
    if (status !== undefined) this.counts.set(status, (this.counts.get(status) ?? 0) + by);
  }

  /** Ring what the last entry changed, and keep it in sight. */
  ring() {
    for (const element of this.now) element.classList.remove("now");
    const entry = this.run.entries[this.run.at - 1];
    const steps = entry ? [...new Set(entry.patch.filter(([record]) => record.includes("#")).map(([record]) => stepOf(record)))] : [];
    this.now = steps.slice(0, 100).map((step) => this.nodes.get(step)?.element).filter(Boolean);
    for (const element of this.now) element.classList.add("now");
    const first = this.now[0];
    if (!first) return;
    const box = first.closest(".stage"), top = box.offsetTop, { scrollTop, clientHeight } = this.scroll;
    if (top < scrollTop || top + Math.min(box.offsetHeight, clientHeight) > scrollTop + clientHeight) this.scroll.scrollTop = top - clientHeight / 3;
  }

  select(step, before) {
    this.nodes.get(before)?.element.setAttribute("aria-pressed", "false");
    this.nodes.get(step)?.element.setAttribute("aria-pressed", "true");
    this.light(step);
  }

  /** The needs, drawn behind the nodes. */
  wire() {
    const needs = [...this.run.steps.values()].flatMap(({ key, spec }) => (spec.needs ?? []).map((need) => [need, key]));
    this.paths = needs.length > Graph.EDGES ? [] : needs.map(([from, to]) => this.path(from, to)).filter(Boolean);
    this.edges.replaceChildren(...this.paths.map(({ path }) => path));
    this.light(this.app.step);
  }

  path(from, to) {
    const origin = this.canvas.getBoundingClientRect(), place = (step) => this.nodes.get(step)?.element.getBoundingClientRect();
    const a = place(from), b = place(to);
    if (!a?.width || !b?.width) return null;
    const path = document.createElementNS(SVG, "path"), beside = Math.abs(a.top - b.top) < 8;
    const x1 = (beside ? a.right : a.left + a.width / 2) - origin.left, y1 = (beside ? a.top + a.height / 2 : a.bottom) - origin.top;
    const x2 = (beside ? b.left : b.left + b.width / 2) - origin.left, y2 = (beside ? b.top + b.height / 2 : b.top) - origin.top;
    const bend = beside ? 0 : Math.min(60, (y2 - y1) / 2);
    path.setAttribute("d", `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`);
    return { path, from, to };
  }

  light(step) {
    const now = new Set(this.now.filter((element) => element.dataset.status === "queued").map((element) => element.dataset.step));
    for (const { path, from, to } of this.paths ?? []) {
      path.classList.toggle("lit", step !== null && (from === step || to === step));
      path.classList.toggle("near", now.has(to));
    }
  }
}

/* --- details: an entry, a step, people, attempts --- */

const Detail = {
  TABS: [["entry", "Entry"], ["step", "Step"], ["people", "People"], ["attempts", "Attempts"]],
  MOST: 500,

  entry(app) {
    const shown = app.cursor ? app.rows.entries(app.cursor) : [];
    if (!shown.length) return [make("h2", {}, "Before the first entry"), make("p", { class: "sub" }, "Nothing has happened yet. Step on with →, or drag the timeline.")];
    const parts = shown.map((entry, side) => (entry ? Detail.oneEntry(app, entry, side) : [make("h2", {}, sideMark(side), "no such entry")]));
    return parts.flatMap((part, index) => (index ? [make("hr"), ...part] : part));
  },

  oneEntry(app, entry, side) {
    const run = app.runs[side], [kind, verdict] = verdictOf(entry), two = app.runs.length > 1;
    const commands = entry.commands.map((command) => make("details", {}, make("summary", {}, commanded(command)), pretty(command)));
    return [
      make("h2", {}, ...(two ? [sideMark(side)] : []), entry.told),
      make("div", { class: "sub" }, app.link(entry.seq, side, `entry ${number(entry.seq)}`), make("span", {}, moment(entry.event.at_ms))),
      make("h3", {}, "Verdict"),
      make("span", { class: "pill", "data-tone": kind ? (kind === "refused" ? "bad" : "wait") : "good" }, icon(kind ? "denied" : "success"), verdict),
      make("h3", {}, "Changes"), ...Detail.changes(run, entry),
      make("h3", {}, "Commands"), ...(commands.length ? commands : [make("p", { class: "sub" }, "none")]),
      make("h3", {}, "Event"), make("details", { open: true }, make("summary", {}, entry.event.type), pretty(entry.event)),
    ];
  },

  changes(run, entry) {
    const changes = run.changes(entry.seq);
    if (!changes.length) return [make("p", { class: "sub" }, "none")];
    const told = changes.slice(0, 60).map(({ record, status, fields }) => make("div", { class: "change", "data-tone": toneOf(status) },
      make("header", {}, icon(iconOf(status)), record === "" ? "the flow" : record.startsWith("@") ? `group ${record.slice(1)}` : record),
      make("dl", { class: "diff" }, ...fields.flatMap(([name, before, after]) => [
        make("dt", {}, name.replaceAll("_", " ").replace(/ ms$/, "")),
        make("dd", {}, ...Detail.sides(name, before, after)),
      ]))));
    if (changes.length > 60) told.push(make("p", { class: "sub" }, `and ${plural(changes.length - 60, "more record", "more records")}`));
    return told;
  },

  sides(name, before, after) {
    const told = (value) => (name.endsWith("at_ms") && typeof value === "number" ? moment(value) : name === "result" ? `entry ${value}` : Array.isArray(value) ? value.join("\n") : typeof value === "object" ? JSON.stringify(value) : String(value));
    return [before === null || before === undefined ? null : make("del", {}, told(before)), after === null || after === undefined ? null : make("ins", {}, told(after))];
  },

  step(app) {
    if (app.step === null) return [make("h2", {}, "No step is chosen"), make("p", { class: "sub" }, "Choose one in the flow to see its attempts as they stood at this moment.")];
    return app.runs.flatMap((run, side) => (run.steps.has(app.step) ? [...(side ? [make("hr")] : []), ...Detail.oneStep(app, run, side)] : []));
  },

  oneStep(app, run, side) {
    const { spec, group } = run.steps.get(app.step), two = app.runs.length > 1;
    const filter = make("button", { type: "button", class: "chip", on: { click: () => app.filter({ step: app.filters.step === app.step ? "" : app.step }) } },
      app.filters.step === app.step ? "Show all entries" : "Only its entries");
    const about = [`in group ${group.key}`, `work: ${spec.work}`, ...(spec.needs ? [`needs ${spec.needs.join(", ")}`] : [])];
    return [
      make("h2", {}, ...(two ? [sideMark(side)] : []), spec.name ?? spec.key),
      make("div", { class: "sub" }, ...about.map((text) => make("span", {}, text)), ...(side ? [] : [filter])),
      ...run.attemptsOf(app.step).toReversed().flatMap((id) => Detail.attempt(app, run, side, id)),
    ];
  },

  attempt(app, run, side, id) {
    const record = run.record(id), result = record.result ? run.entries[record.result - 1] : null;
    const facts = ["directive", "reason", "error", "subject", "retry", "generation", "due_at_ms", "automatic"]
      .filter((name) => record[name] !== undefined && record[name] !== null)
      .flatMap((name) => [make("dt", {}, name.replace("_at_ms", "")), make("dd", { class: "mono" }, name.endsWith("at_ms") ? moment(record[name]) : String(record[name]))]);
    const answers = (record.answers ?? []).flatMap((text) => [make("dt", {}, "answer"), make("dd", {}, text)]);
    const output = result?.event.output ?? result?.event.error;
    return [make("h3", {}, id), make("div", { class: "change", "data-tone": toneOf(record.status) },
      make("header", {}, icon(iconOf(record.status)), record.status, make("span", { class: "spread" }), result ? app.link(result.seq, side, `entry ${number(result.seq)}`) : ""),
      make("dl", { class: "diff" }, ...facts, ...answers)),
    ...(output === undefined || output === null ? [] : [make("details", { open: true }, make("summary", {}, result.event.output === undefined || result.event.output === null ? "Error" : "Output"), pretty(output))])];
  },

  people(app) {
    const lines = app.runs.flatMap((run, side) => run.entries.flatMap((entry) => Detail.acts(app, run, side, entry)));
    const head = [make("h2", {}, "Who did what, and when"), make("p", { class: "sub" }, lines.length ? plural(lines.length, "thing", "things") : "Nobody did anything, and nothing was approved.")];
    const more = lines.length > Detail.MOST ? [make("p", { class: "sub" }, `and ${number(lines.length - Detail.MOST)} more, which the filter People lists`)] : [];
    return [...head, ...lines.slice(0, Detail.MOST).map((line) => line()), ...more];
  },

  acts(app, run, side, entry) {
    const automatic = entry.patch.filter(([, fields]) => fields.automatic).map(([record, fields]) => [`automatic (${fields.automatic})`, `approves ${record}`, ""]);
    const { event } = entry, subject = event.subject ?? "";
    const words = entry.told.startsWith(`${event.by} `) ? entry.told.slice(event.by.length + 1) : entry.told;
    const all = entry.request ? [[event.by, words, subject], ...automatic] : automatic;
    return all.map(([by, what, about]) => () => make("div", { class: entry.seq > run.at ? "line later" : "line", "data-tone": markOf(entry)[0] },
      icon(isAccepted(entry) ? "person" : "denied"),
      make("span", { class: "what" }, ...(app.runs.length > 1 ? [sideMark(side), " "] : []), make("b", {}, by), " ", what),
      app.link(entry.seq, side, `entry ${number(entry.seq)}`),
      make("span", { class: "more" }, moment(event.at_ms), ...(isAccepted(entry) ? [] : [" · ", verdictOf(entry)[1]])),
      ...(about ? [make("span", { class: "more mono" }, about)] : [])));
  },

  attempts(app) {
    const [a, b] = app.runs, ids = [...new Set(app.runs.flatMap((run) => [...run.steps.keys()].flatMap((step) => run.attemptsOf(step))))];
    const cell = (run, id) => (run.steps.has(stepOf(id)) && run.attemptsOf(stepOf(id)).includes(id) ? pill(run.record(id).status, true) : make("span", { class: "count" }, "–"));
    const same = (id) => a.record(id).status === b.record(id).status && a.attemptsOf(stepOf(id)).includes(id) === b.attemptsOf(stepOf(id)).includes(id);
    return [make("h2", {}, "Attempts at this moment"), make("table", {},
      make("thead", {}, make("tr", {}, make("th", {}, "attempt"), make("th", {}, sideMark(0)), make("th", {}, sideMark(1)))),
      make("tbody", {}, ...ids.slice(0, Detail.MOST).map((id) => make("tr", { class: same(id) ? "" : "differs" }, make("td", { class: "mono" }, id), make("td", {}, cell(a, id)), make("td", {}, cell(b, id))))))];
  },
};

/* --- the whole --- */

class App {
  constructor(views) {
    this.runs = views.map((view) => new Run(view));
    this.rows = new Rows(this.runs);
    Object.assign(this, { cursor: 0, step: null, tab: "entry", changed: null, frame: 0, playing: 0 });
    this.filters = { text: "", step: "", only: new Set() };
    this.words = [new Map(), new Map()];
    document.documentElement.classList.toggle("two", this.runs.length > 1);
    document.querySelector('[data-only="differences"]').hidden = this.runs.length < 2;
    this.head();
    this.timeline = new Timeline(this);
    this.list = new List(this);
    this.graphs = this.runs.map((run, side) => new Graph(this, run, side));
    $("graphs").replaceChildren(...this.graphs.map((graph) => graph.scroll));
    this.tabs();
    listen(this);
    this.sift();
    this.arrive(true);
    this.timeline.draw();
    this.draw();
  }

  head() {
    const { view } = this.runs[0], ids = [...new Set(this.runs.map((run) => run.view.flow_id))];
    $("flow-id").textContent = plain(ids.join(" and "));
    $("about").textContent = plain([view.type, `semantics ${view.semantics}`, ...this.runs.map((run) => run.name)].join(" · "));
    $("about").title = $("about").textContent;
  }

  tabs() {
    const two = this.runs.length > 1;
    $("tabs").replaceChildren(...Detail.TABS.filter(([id]) => two || id !== "attempts").map(([id, name]) =>
      make("button", { type: "button", class: "tab", role: "tab", id: `tab-${id}`, "data-tab": id, "aria-controls": "panel", on: { click: () => this.open(id) } }, name)));
  }

  /** The row of an entry of the first log. */
  rowOf(seq) {
    if (this.runs.length === 1) return seq;
    this.inverse ??= new Map(this.rows.rows.map((row, index) => [row[0], index + 1]));
    return this.inverse.get(seq);
  }

  /** Where a row stands in the list, or the last before it that is there; -1 for none. */
  listed(row) {
    let low = 0, high = this.shown.length;
    while (low < high) { const middle = (low + high) >> 1; if (this.shown[middle] <= row) low = middle + 1; else high = middle; }
    return low - 1;
  }

  /** Move to where so many rows have happened. */
  seek(cursor) {
    const to = Math.max(0, Math.min(this.rows.length, cursor));
    this.cursor = to;
    const seen = to ? this.rows.seen[to - 1] : [0, 0];
    this.changed ??= this.runs.map(() => new Set());
    this.runs.forEach((run, side) => { for (const name of run.seek(seen[side])) this.changed[side].add(name); });
    this.later();
  }

  /** Draw soon, once. */
  later() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const changed = this.changed ?? this.runs.map(() => new Set());
    this.changed = null;
    this.timeline.place();
    this.graphs.forEach((graph, side) => graph.draw(changed[side]));
    this.list.follow();
    this.drawHead();
    this.drawPanel();
    document.documentElement.dataset.cursor = this.cursor;
    this.remember();
  }

  told(cursor) {
    if (!cursor) return "before the first entry";
    return this.rows.entries(cursor).filter(Boolean).map((entry) => `entry ${entry.seq}: ${entry.told}`).join("; ");
  }

  drawHead() {
    const [a, b] = this.runs, entries = this.cursor ? this.rows.entries(this.cursor) : [], entry = entries.find(Boolean);
    $("where").textContent = b ? `row ${number(this.cursor)} of ${number(this.rows.length)}` : `entry ${number(this.cursor)} of ${number(this.rows.length)}`;
    const at = entry ? entry.event.at_ms : a.view.at_ms;
    $("when").textContent = plain(`${moment(at)} · ${entry ? entry.told : "before the first entry"}`);
    $("flow-status").replaceChildren(...this.runs.flatMap((run, side) => [...(b ? [sideMark(side)] : []), pill(run.record("").status)]));
    $("counts").replaceChildren(...(b ? [] : Object.keys(TONES).filter((status) => this.graphs[0].counts.get(status) > 0).map((status) =>
      make("span", { "data-tone": toneOf(status) }, icon(iconOf(status)), `${number(this.graphs[0].counts.get(status))} ${status}`))));
  }

  drawPanel() {
    for (const tab of $("tabs").children) {
      const chosen = tab.dataset.tab === this.tab;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    $("panel").setAttribute("aria-labelledby", `tab-${this.tab}`);
    document.documentElement.dataset.tab = this.tab;
    const parts = Detail[this.tab](this), there = [...$("panel").childNodes];
    // What is there already keeps its focus, and what somebody typed.
    if (parts.length !== there.length || parts.some((part, index) => part !== there[index])) $("panel").replaceChildren(...parts);
  }

  open(tab) {
    this.tab = tab;
    $("panel").scrollTop = 0;
    this.drawPanel();
  }

  select(step) {
    const before = this.step;
    this.step = step === before && this.tab === "step" ? null : step;
    for (const graph of this.graphs) graph.select(this.step, before);
    this.open(this.step === null ? "entry" : "step");
  }

  link(seq, side, text) {
    const href = `#entry=${seq}${side ? "&log=2" : ""}`;
    return make("a", { href, on: { click: (event) => { event.preventDefault(); this.seek(this.rows.find(seq, side)); } } }, text);
  }

  /* What is listed. */

  filter(some) {
    Object.assign(this.filters, some);
    $("step").value = this.filters.step;
    $("search").value = this.filters.text;
    for (const chip of document.querySelectorAll("[data-only]")) chip.setAttribute("aria-pressed", String(this.filters.only.has(chip.dataset.only)));
    this.sift();
    this.list.follow();
    this.drawPanel();
  }

  sift() {
    const { text, step, only } = this.filters, words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const all = Array.from({ length: this.rows.length }, (_, index) => index + 1);
    const any = words.length || step || only.size;
    this.shown = any ? all.filter((row) => this.passes(row, words, step, only)) : all;
    this.list.reset();
  }

  passes(row, words, step, only) {
    const entries = this.rows.entries(row);
    if (only.has("differences") && !this.rows.differs(row)) return false;
    return entries.some((entry, side) => entry
      && (!step || this.runs[side].stepsOf(entry).has(step))
      && (!only.has("people") || entry.request)
      && (!only.has("failures") || isFailure(entry))
      && (!only.has("refused") || !isAccepted(entry))
      && (!words.length || words.every((word) => this.textOf(entry, side).includes(word))));
  }

  textOf(entry, side) {
    let text = this.words[side].get(entry.seq);
    if (text === undefined) {
      text = `${entry.told} ${verdictOf(entry)[1]} ${commandsOf(entry)} ${JSON.stringify([entry.event, entry.commands])}`.toLowerCase();
      this.words[side].set(entry.seq, text);
    }
    return text;
  }

  /** Go to the next listed row, or the next of a kind, in either direction. */
  stepTo(direction, wanted) {
    const next = (row) => row + direction;
    for (let row = next(this.cursor); row >= 1 && row <= this.rows.length; row = next(row)) {
      if (this.rows.entries(row).some((entry) => entry && wanted(entry))) { this.seek(row); return; }
    }
  }

  listedStep(direction) {
    const here = this.listed(this.cursor), exact = this.shown[here] === this.cursor;
    const index = direction > 0 ? here + 1 : exact ? here - 1 : here;
    if (index >= 0 && index < this.shown.length) this.seek(this.shown[index]);
    else if (index < 0) this.seek(0);
  }

  play() {
    const button = $("play");
    if (this.playing) { clearInterval(this.playing); this.playing = 0; } else {
      if (this.cursor === this.rows.length) this.seek(0);
      const pace = Math.max(1, Math.round(this.rows.length / 400));
      this.playing = setInterval(() => { if (this.cursor >= this.rows.length) this.play(); else this.seek(this.cursor + pace); }, Math.max(60, Math.min(700, 12_000 / this.rows.length)));
    }
    button.setAttribute("aria-pressed", String(Boolean(this.playing)));
    button.setAttribute("aria-label", this.playing ? "Stop" : "Play");
  }

  /* Permalinks. */

  arrive(first = false) {
    const asked = new URLSearchParams(location.hash.slice(1)), side = asked.get("log") === "2" && this.runs.length > 1 ? 1 : 0;
    const text = asked.get("entry"), seq = text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
    const step = asked.get("step");
    if (step !== null && this.runs.some((run) => run.steps.has(step)) && step !== this.step) this.select(step);
    if (seq !== null) this.seek(seq === 0 ? 0 : this.rows.find(Math.min(seq, this.runs[side].entries.length), side));
    else if (first) this.seek(this.rows.length);
  }

  /** Write the entry into the address, when the cursor rests. */
  remember() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      const seq = this.cursor ? this.rows.rows[this.cursor - 1] : [0], side = seq[0] || !this.cursor ? 0 : 1;
      const hash = `#entry=${seq[side]}${side ? "&log=2" : ""}${this.step === null ? "" : `&step=${encodeURIComponent(this.step)}`}`;
      if (location.hash !== hash) history.replaceState(null, "", hash);
    }, 150);
  }

  /* Entries that come later. */

  append(entries, side = 0) {
    const end = this.cursor === this.rows.length;
    if (!this.runs[side].append(entries)) return;
    this.rows.build();
    this.inverse = null;
    for (const graph of this.graphs) if (graph.boxes.size < graph.run.groups.length) { graph.build(); graph.wire(); }
    this.sift();
    this.timeline.draw();
    if (end) this.seek(this.rows.length); else this.later();
  }
}

/* --- hands: keyboard and buttons --- */

const THEMES = [["", "as the system has it"], ["light", "light"], ["dark", "dark"]];

function listen(app) {
  $("back").addEventListener("click", () => app.seek(app.cursor - 1));
  $("next").addEventListener("click", () => app.seek(app.cursor + 1));
  $("play").addEventListener("click", () => app.play());
  $("theme").addEventListener("click", () => turnTheme(app));
  $("keys").addEventListener("click", () => $("help").showModal());
  $("search").addEventListener("input", () => app.filter({ text: $("search").value }));
  $("step").addEventListener("input", () => app.filter({ step: $("step").value.trim() }));
  $("step").addEventListener("focus", () => {
    if (!$("steps").childElementCount) $("steps").append(...[...app.runs[0].steps.keys()].map((key) => make("option", { value: key })));
  });
  for (const chip of document.querySelectorAll("[data-only]")) {
    chip.addEventListener("click", () => {
      const only = new Set(app.filters.only);
      if (!only.delete(chip.dataset.only)) only.add(chip.dataset.only);
      app.filter({ only });
    });
  }
  addEventListener("hashchange", () => app.arrive());
  addEventListener("keydown", (event) => pressed(app, event));
}

function turnTheme(app) {
  const here = THEMES.findIndex(([name]) => name === (document.documentElement.dataset.theme ?? ""));
  showTheme(app, THEMES[(here + 1) % THEMES.length][0]);
}

function showTheme(app, wanted) {
  const [name, told] = THEMES.find(([each]) => each === wanted) ?? THEMES[0], root = document.documentElement;
  if (name) root.dataset.theme = name; else delete root.dataset.theme;
  $("theme").setAttribute("aria-label", `Theme: ${told}`);
  app.timeline.draw();
}

function pressed(app, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open || event.target.closest?.("[data-typed]")) return;
  const typing = event.target.matches?.('input:not([type="range"])');
  if (typing) { if (!typed(app, event)) return; } else {
    const act = keys(app, event)[event.key];
    if (!act || (event.key === " " && event.target.closest?.("button, summary, a"))) return;
    act();
  }
  event.preventDefault();
}

/** In a field: Escape clears it, Enter leaves it for the list. */
function typed(app, event) {
  if (event.key === "Escape") { app.filter(event.target.id === "step" ? { step: "" } : { text: "" }); event.target.blur(); return true; }
  if (event.key === "Enter" || event.key === "ArrowDown") {
    if (event.target.id === "step" && event.key === "ArrowDown") return false;
    $("list").focus();
    if (app.shown.length && app.shown[app.listed(app.cursor)] !== app.cursor) app.listedStep(app.listed(app.cursor) + 1 < app.shown.length ? 1 : -1);
    return true;
  }
  return false;
}

function keys(app, { target }) {
  const far = Math.max(1, Math.round(app.rows.length / 20)), on = (by) => () => app.seek(app.cursor + by);
  const tab = target.getAttribute?.("role") === "tab" ? (by) => () => turnTab(app, by) : null;
  const reading = target.closest?.("#panel, .scroll");
  const vertical = reading ? {} : { ArrowUp: () => app.listedStep(-1), ArrowDown: () => app.listedStep(1), PageUp: on(-far), PageDown: on(far) };
  return {
    ArrowLeft: tab ? tab(-1) : on(-1), ArrowRight: tab ? tab(1) : on(1), ...vertical,
    k: () => app.listedStep(-1), j: () => app.listedStep(1), Home: () => app.seek(0), End: () => app.seek(app.rows.length),
    n: () => app.stepTo(1, isFailure), N: () => app.stepTo(-1, isFailure),
    p: () => app.stepTo(1, (entry) => entry.request), P: () => app.stepTo(-1, (entry) => entry.request),
    " ": () => app.play(), "/": () => { $("search").focus(); $("search").select(); }, "?": () => $("help").showModal(),
    t: () => turnTheme(app), 1: () => app.open("entry"), 2: () => app.open("step"), 3: () => app.open("people"),
    Escape: () => app.filter({ text: "", step: "", only: new Set() }),
  };
}

function turnTab(app, by) {
  const tabs = [...$("tabs").children], here = tabs.findIndex((each) => each.dataset.tab === app.tab);
  const next = tabs[(here + by + tabs.length) % tabs.length];
  app.open(next.dataset.tab);
  next.focus();
}

/* --- the door --- */

/** Show views. For who serves this page, and for tests, there is `window.conductor` from then on. */
function show(views) {
  const app = new App(views);
  window.conductor = {
    /** Add entries of a log (0 or 1) that came later; at the end, the page follows. */
    append: (entries, log = 0) => app.append(entries, log),
    /** How many entries of a log there are: what to ask for is what comes after. */
    entries: (log = 0) => app.runs[log].entries.length,
    entry: (seq, log = 0) => app.runs[log].entries[seq - 1],
    seek: (row) => { app.seek(row); app.draw(); },
    get cursor() { return app.cursor; },
    /** Add a tab of details before the others; `parts` gives the elements that stand in it. */
    tab: (id, name, parts) => { Detail[id] = parts; Detail.TABS.unshift([id, name]); app.tabs(); app.drawPanel(); },
    /** Open a tab. */
    open: (id) => app.open(id),
    get opened() { return app.tab; },
    select: (step) => app.select(step),
    /** Show a theme: `light`, `dark`, or as the system has it. */
    theme: (name) => showTheme(app, name),
    /** The status of the flow and of every step at this moment. */
    status: (log = 0) => app.runs[log].record("").status,
    statuses: (log = 0) => Object.fromEntries([...app.runs[log].steps.values()].filter(({ group }) => group.since <= app.runs[log].at).map(({ key }) => [key, app.runs[log].statusOf(key)])),
    /** All that the page knows of this moment, as `conductor replay --until N --state --json` tells it. */
    records: (log = 0) => Object.fromEntries(app.runs[log].records),
    groups: (log = 0) => Object.fromEntries(app.runs[log].groups.map(({ key }) => [key, app.runs[log].record(`@${key}`).status])),
    /** When the page was first to be seen, since it was asked for; null until then. */
    painted_ms: null,
  };
  requestAnimationFrame(() => setTimeout(() => { window.conductor.painted_ms = performance.now(); }));
  document.documentElement.dataset.ready = "";
}
