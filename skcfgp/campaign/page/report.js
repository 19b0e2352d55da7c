"use strict";
// The page of a campaign: tables that sort, plots on canvases, a crystal to turn. No library.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const COLOUR = { labelled: "#0072b2", pending: "#d55e00", failed: "#000000", pool: "#9aa5b1",
  strategy: "#0072b2", random: "#009e73", other: "#9aa5b1", next: "#cc79a7" };
const tip = byId("tip");
const short = (v) => v === null || v === undefined ? "" :
  typeof v === "number" ? (Number.isInteger(v) ? String(v) : v.toPrecision(4)) : String(v);

function showTip(event, text) {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const right = event.clientX + 14 + tip.offsetWidth > innerWidth;
  tip.style.left = event.clientX + (right ? -14 - tip.offsetWidth : 14) + "px";
  tip.style.top = event.clientY + 12 + "px";
}

// ---- tables: rows are arrays; a click on a header sorts; long ones come in pages
function table(element, columns, rows, options = {}) {
  const size = options.pageSize || rows.length || 1;
  let order = rows.map((_, i) => i), shown = order, page = 0, sorted = null, sign = 1;
  const head = element.createTHead().insertRow(), body = element.createTBody();
  columns.forEach((name, k) => {
    const th = document.createElement("th");
    th.textContent = name;
    const kind = rows.some((row) => typeof row[k] === "number") ? "number " : "";
    th.className = kind + "sortable";
    th.onclick = () => {
      sign = sorted === k ? -sign : 1;
      sorted = k;
      order.sort((a, b) => compare(rows[a][k], rows[b][k], sign) || a - b);
      for (const cell of head.cells) cell.classList.remove("up", "down");
      th.classList.add(sign > 0 ? "up" : "down");
      filter(options.search ? options.search.value : "");
    };
    head.appendChild(th);
  });
  function filter(text) {
    const wanted = text.trim().toLowerCase();
    shown = !wanted ? order : order.filter((i) =>
      rows[i].some((v) => typeof v === "string" && v.toLowerCase().includes(wanted)));
    page = 0;
    draw();
  }
  function draw() {
    body.textContent = "";
    for (const i of shown.slice(page * size, (page + 1) * size)) {
      const tr = body.insertRow();
      tr.dataset.row = i;
      for (const value of rows[i]) {
        const td = tr.insertCell();
        td.textContent = short(value);
        if (typeof value === "number") { td.className = "number"; td.title = value; }
        else if (value && value.length > 60) td.className = "wrap";
      }
      if (options.click) tr.onclick = () => options.click(i, tr);
    }
    if (options.pages) drawPages();
  }
  function drawPages() {
    const n = Math.max(1, Math.ceil(shown.length / size));
    options.pages.textContent = "";
    const button = (text, to) => {
      const b = document.createElement("button");
      b.textContent = text;
      b.disabled = to < 0 || to >= n;
      b.onclick = () => { page = to; draw(); };
      options.pages.appendChild(b);
    };
    button("back", page - 1);
    options.pages.append(` page ${page + 1} of ${n}, ${shown.length} rows `);
    button("next", page + 1);
  }
  if (options.search) options.search.oninput = () => filter(options.search.value);
  draw();
}

// What is missing comes last, up and down.
function compare(a, b, sign) {
  const missing = (a === null) - (b === null);
  if (missing) return missing;
  return a === null || a === b ? 0 : a < b ? -sign : sign;
}

// ---- plots: series of {x, y, low, high, colour, kind, text}
function ticks(low, high, n) {
  const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let t = Math.ceil(low / step) * step; t <= high + 1e-9 * step; t += step)
    found.push(Math.abs(t) < step * 1e-6 ? 0 : Number(t.toPrecision(10)));
  return found;
}

function plot(id, series, xName, yName, options = {}) {
  const canvas = byId(id), left = 62, bottom = 42, top = 12, right = 12;
  const size = () => [devicePixelRatio || 1, canvas.clientWidth, canvas.clientHeight].join();
  let spots = [], drawn = "";
  const extent = (values, pad) => {
    let low = Infinity, high = -Infinity;
    for (const v of values) if (v !== null && isFinite(v)) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
    if (low > high) return [0, 1];
    if (low === high) { low -= 0.5; high += 0.5; }
    const margin = pad * (high - low);
    return [low - margin, high + margin];
  };
  function* all(name) {
    for (const s of series) {
      if (s.kind === "diagonal") continue;
      yield* s[name];
      if (name === "y" && s.low) { yield* s.low; yield* s.high; }
    }
  }
  function draw() {
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    drawn = size();
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    c.font = "12px system-ui, sans-serif";
    c.clearRect(0, 0, width, height);
    if (!series.some((s) => s.kind !== "diagonal" && s.x.length)) {
      c.fillStyle = "#5b6675";
      c.fillText("nothing to show yet", left, height / 2);
      return;
    }
    const [x0, x1] = options.xRange || extent(all("x"), 0.04);
    const [y0, y1] = options.yRange || extent(all("y"), 0.06);
    const px = (x) => left + (x - x0) / (x1 - x0) * (width - left - right);
    const py = (y) => height - bottom - (y - y0) / (y1 - y0) * (height - top - bottom);
    c.strokeStyle = "#e3e7eb";
    c.fillStyle = "#5b6675";
    c.lineWidth = 1;
    c.textAlign = "center";
    for (const t of ticks(x0, x1, 6)) {
      c.beginPath(); c.moveTo(px(t), top); c.lineTo(px(t), height - bottom); c.stroke();
      c.fillText(t, px(t), height - bottom + 16);
    }
    c.textAlign = "right";
    for (const t of ticks(y0, y1, 5)) {
      c.beginPath(); c.moveTo(left, py(t)); c.lineTo(width - right, py(t)); c.stroke();
      c.fillText(t, left - 6, py(t) + 4);
    }
    c.textAlign = "center";
    c.fillText(xName, (left + width - right) / 2, height - 6);
    c.save(); c.translate(13, (top + height - bottom) / 2); c.rotate(-Math.PI / 2);
    c.fillText(yName, 0, 0); c.restore();
    c.save();
    c.beginPath(); c.rect(left, top, width - left - right, height - top - bottom); c.clip();
    spots = [];
    for (const s of series) {
      c.strokeStyle = c.fillStyle = s.colour;
      if (s.kind === "diagonal") {
        const a = Math.max(x0, y0), b = Math.min(x1, y1);
        c.setLineDash([5, 4]); c.lineWidth = 1;
        c.beginPath(); c.moveTo(px(a), py(a)); c.lineTo(px(b), py(b)); c.stroke();
        c.setLineDash([]);
        continue;
      }
      if (s.low) {
        c.globalAlpha = s.x.length > 500 ? 0.25 : 0.5;
        c.lineWidth = 1;
        c.beginPath();
        for (let i = 0; i < s.x.length; i++) {
          c.moveTo(px(s.x[i]), py(s.low[i]));
          c.lineTo(px(s.x[i]), py(s.high[i]));
        }
        c.stroke();
        c.globalAlpha = 1;
      }
      if (s.kind === "line") {
        c.lineWidth = 2.2;
        c.setLineDash(s.dashed ? [5, 4] : []);
        c.beginPath();
        s.x.forEach((x, i) => i ? c.lineTo(px(x), py(s.y[i])) : c.moveTo(px(x), py(s.y[i])));
        c.stroke();
        c.setLineDash([]);
      }
      const radius = s.kind === "line" ? (s.x.length < 60 && !s.dashed ? 2.5 : 0) : s.radius || (s.x.length > 500 ? 1.6 : 3);
      for (let i = 0; i < s.x.length; i++) {
        const u = px(s.x[i]), v = py(s.y[i]);
        if (radius >= 2) { c.beginPath(); c.arc(u, v, radius, 0, 6.2832); c.fill(); }
        else if (radius) c.fillRect(u - radius, v - radius, 2 * radius, 2 * radius);
        if (s.text) spots.push([u, v, s.text, i]);
      }
    }
    c.restore();
    legend(c, width - right - 8, top + 14);
  }
  function legend(c, x, y) {
    c.textAlign = "right";
    for (const s of series.filter((s) => s.name && s.x.length)) {
      c.fillStyle = s.colour;
      c.fillText(`${s.name} \u25CF`, x, y);
      y += 15;
    }
  }
  canvas.onmousemove = (event) => {
    const box = canvas.getBoundingClientRect();
    const u = event.clientX - box.left, v = event.clientY - box.top;
    let best = null, nearest = 14 ** 2;
    for (const spot of spots) {
      const d = (spot[0] - u) ** 2 + (spot[1] - v) ** 2;
      if (d < nearest) { nearest = d; best = spot; }
    }
    showTip(event, best && best[2](best[3]));
  };
  canvas.onmouseleave = () => { tip.hidden = true; };
  canvas.spots = () => spots;
  new ResizeObserver(() => { if (drawn !== size()) draw(); }).observe(canvas);
  draw();
}

// ---- a crystal: orthographic projection of balls, the cell and bonds
const viewer = { turn: [1, 0, 0, 0, 1, 0, 0, 0, 1], zoom: 1, crystal: null };

function multiply(a, b) {
  const c = new Array(9).fill(0);
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) for (let k = 0; k < 3; k++)
    c[3 * i + j] += a[3 * i + k] * b[3 * k + j];
  return c;
}

function turn(dx, dy) {
  const a = Math.cos(dx), b = Math.sin(dx), c = Math.cos(dy), d = Math.sin(dy);
  viewer.turn = multiply([a, 0, b, 0, 1, 0, -b, 0, a], multiply([1, 0, 0, 0, c, -d, 0, d, c],
    viewer.turn));
  drawCrystal();
}

function drawCrystal() {
  const canvas = byId("crystal"), c = canvas.getContext("2d"), it = viewer.crystal;
  const ratio = devicePixelRatio || 1, width = 420, height = 380;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  c.scale(ratio, ratio);
  if (!it) return;
  const r = viewer.turn, cell = it.cell;
  const centre = [0, 1, 2].map((k) => (cell[0][k] + cell[1][k] + cell[2][k]) / 2);
  const corners = [];
  for (let n = 0; n < 8; n++) corners.push([0, 1, 2].map((k) =>
    (n & 1) * cell[0][k] + ((n >> 1) & 1) * cell[1][k] + ((n >> 2) & 1) * cell[2][k]));
  const size = Math.max(...corners.map((p) => Math.hypot(...p.map((v, k) => v - centre[k]))));
  const scale = viewer.zoom * 0.42 * Math.min(width, height) / (size + 0.8);
  const project = (p) => {
    const [x, y, z] = p.map((v, k) => v - centre[k]);
    return [width / 2 + scale * (r[0] * x + r[1] * y + r[2] * z),
      height / 2 - scale * (r[3] * x + r[4] * y + r[5] * z), r[6] * x + r[7] * y + r[8] * z];
  };
  const items = [];
  const points = corners.map(project);
  for (let n = 0; n < 8; n++) for (const bit of [1, 2, 4]) if (!(n & bit)) {
    const a = points[n], b = points[n | bit];
    items.push([(a[2] + b[2]) / 2 - 0.3, () => {
      c.strokeStyle = "#8a96a3"; c.lineWidth = 1;
      c.beginPath(); c.moveTo(a[0], a[1]); c.lineTo(b[0], b[1]); c.stroke();
    }]);
  }
  const atoms = it.atoms.map(([symbol, ...p]) => [data.elements[symbol], project(p)]);
  for (const [i, j] of it.bonds) {
    const [a, b] = [atoms[i][1], atoms[j][1]];
    items.push([(a[2] + b[2]) / 2 - 0.2, () => {
      c.strokeStyle = "#b9c1ca"; c.lineWidth = Math.max(2, 0.16 * scale);
      c.beginPath(); c.moveTo(a[0], a[1]); c.lineTo(b[0], b[1]); c.stroke();
    }]);
  }
  for (const [element, p] of atoms) items.push([p[2], () => {
    const radius = 0.45 * element.radius * scale;
    const shade = c.createRadialGradient(p[0] - radius / 3, p[1] - radius / 3, radius / 8,
      p[0], p[1], radius);
    shade.addColorStop(0, "#ffffff");
    shade.addColorStop(0.35, element.colour);
    shade.addColorStop(1, element.colour);
    c.fillStyle = shade;
    c.strokeStyle = "#30363d";
    c.lineWidth = 0.6;
    c.beginPath(); c.arc(p[0], p[1], radius, 0, 6.2832); c.fill(); c.stroke();
  }]);
  items.sort((a, b) => a[0] - b[0]).forEach((item) => item[1]());
  c.font = "13px system-ui, sans-serif";
  c.textAlign = "left";
  [...new Set(it.atoms.map((atom) => atom[0]))].forEach((symbol, k) => {
    c.fillStyle = data.elements[symbol].colour;
    c.beginPath(); c.arc(16, 18 + 19 * k, 6, 0, 6.2832); c.fill();
    c.strokeStyle = "#30363d"; c.lineWidth = 0.6; c.stroke();
    c.fillStyle = "#1d2530"; c.fillText(symbol, 27, 22 + 19 * k);
  });
}

function choose(i, tr) {
  viewer.crystal = data.queue[i].structure;
  viewer.turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  viewer.zoom = 1;
  document.querySelectorAll("tr.chosen").forEach((row) => row.classList.remove("chosen"));
  if (tr) tr.classList.add("chosen");
  byId("crystal-name").textContent = `${data.queue[i].id}, ${data.queue[i].formula}` +
    (viewer.crystal ? "" : " (a formula, without a structure)");
  turn(0.5, 0.35);
}

(function handle() {
  const canvas = byId("crystal");
  let last = null;
  canvas.onpointerdown = (e) => { last = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); };
  canvas.onpointermove = (e) => {
    if (!last) return;
    turn((e.clientX - last[0]) / 90, (e.clientY - last[1]) / 90);
    last = [e.clientX, e.clientY];
  };
  canvas.onpointerup = () => { last = null; };
  canvas.onwheel = (e) => {
    e.preventDefault();
    viewer.zoom = Math.min(6, Math.max(0.3, viewer.zoom * Math.exp(-e.deltaY / 500)));
    drawCrystal();
  };
})();

// ---- the page
const unit = data.unit, all = data.crystals;
byId("summary").textContent = data.summary;
for (const [name, n] of Object.entries(data.counts)) {
  const span = document.createElement("span"), b = document.createElement("b");
  b.textContent = n;
  span.append(b, name);
  byId("counts").append(span);
}
if (data.alarm) { byId("alarm").hidden = false; byId("alarm").textContent = data.alarm; }

table(byId("queue-table"), ["", "id", "formula", "state", `prediction (${unit})`, "std", "why"],
  data.queue.map((q, i) => [i + 1, q.id, q.formula, q.state, q.prediction, q.std, q.why]),
  { click: choose });
if (data.queue.length) choose(0, document.querySelector("#queue-table tbody tr"));

const about = (i) => `${all.id[i]}\n${all.formula[i]}, ${all.status[i]}` +
  (all.prediction[i] === null ? "" :
    `\nprediction ${short(all.prediction[i])} \u00B1 ${short(all.std[i])} ${unit}`) +
  (all.value[i] === null ? "" : `\nlabel ${short(all.value[i])} ${unit}`);

function barred(rows, x, y, colour, name) {
  return { x, y, colour, name, low: y.map((_, k) => all.lower[rows[k]]),
    high: y.map((_, k) => all.upper[rows[k]]), text: (k) => about(rows[k]) };
}

const open = all.id.map((_, i) => i).filter((i) => all.value[i] === null &&
  all.prediction[i] !== null).sort((a, b) => all.prediction[a] - all.prediction[b]);
const rank = new Map(open.map((row, k) => [row, k + 1]));
const MOST = 3000;  // bars that a plot shows; of more, evenly spaced ones
plot("pool-plot", ["pool", "failed", "pending"].map((status) => {
  const found = open.filter((i) => all.status[i] === status);
  const step = Math.ceil(found.length / MOST), rows = found.filter((_, k) => k % step === 0);
  return barred(rows, rows.map((i) => rank.get(i)), rows.map((i) => all.prediction[i]),
    COLOUR[status], step > 1 ? `${status}, one in ${step}` : status);
}), "rank", `prediction (${unit})`);

const compared = data.comparisons;
plot("parity-plot", [{ kind: "diagonal", colour: "#5b6675", x: [], y: [] },
  ...["strategy", "random", "other"].map((arm) => {
    const rows = compared.filter((i) => (all.arm[i] || "other") === arm);
    return barred(rows, rows.map((i) => all.value[i]), rows.map((i) => all.prediction[i]),
      COLOUR[arm], arm);
  })], `label (${unit})`, `prediction (${unit})`);

let sum = 0;
const errors = compared.map((i) => Math.abs(all.value[i] - all.prediction[i]));
plot("error-plot", [
  { x: errors.map((_, k) => k + 1), y: errors, colour: "#9aa5b1",
    text: (k) => about(compared[k]) },
  { kind: "line", x: errors.map((_, k) => k + 1),
    y: errors.map((e, k) => (sum += e) / (k + 1)), colour: "#d55e00", name: "mean so far" },
], "label that had a prediction", `absolute error (${unit})`);
const stdLine = (of, name, colour, more) => ({ kind: "line", colour, ...more,
  x: of.map((c) => c.n_labels), y: of.map((c) => c[name]) });
plot("std-plot", [stdLine(data.curve, "max_std", "#d55e00", { name: "max std" }),
  stdLine(data.curve, "mean_std", "#0072b2", { name: "mean std" }),
  stdLine(data.forecast, "max_std", "#d55e00", { dashed: true }),
  stdLine(data.forecast, "mean_std", "#0072b2", { dashed: true })], "labels",
  `standard deviation (${unit})`);
plot("calibration-plot", [{ kind: "diagonal", colour: "#5b6675", x: [], y: [] },
  { kind: "line", colour: "#0072b2", x: data.calibration[0], y: data.calibration[1] }],
  "probability", "observed fraction", { xRange: [0, 1], yRange: [0, 1] });
plot("map-plot", ["pool", "labelled", "failed", "pending"].map((status) => {
  const rows = all.id.map((_, i) => i).filter((i) => all.status[i] === status);
  return { x: rows.map((i) => all.x[i]), y: rows.map((i) => all.y[i]), colour: COLOUR[status],
    name: status, radius: status === "pool" ? (rows.length > 2000 ? 1.5 : 2.5) : 3.2,
    text: (k) => about(rows[k]) };
}), "first principal component", "second principal component");

table(byId("estimates-table"), ["", "n", `MAE (${data.learnt})`, "within 2 std", "95 % interval",
  "in 50, 80 and 95 %"], data.estimates);
table(byId("all-table"), ["id", "formula", "status", `label (${unit})`, `prediction (${unit})`,
  "std", "arm"], all.id.map((id, i) => [id, all.formula[i], all.status[i], all.value[i],
  all.prediction[i], all.std[i], all.arm[i]]),
  { pageSize: 50, search: byId("search"), pages: byId("pages") });
if (!data.failures.length) byId("failure-pages").textContent = "None.";
else table(byId("failures-table"), ["name", "what", "reason"], data.failures,
  data.failures.length > 200 ? { pageSize: 200, pages: byId("failure-pages") } : {});
table(byId("settings-table"), ["setting", "value"], data.settings);
table(byId("history-table"), ["event", "time (UTC)", "who", "what"], data.history);
document.body.dataset.ready = "yes";
