// <day-strip days="ooofo" last="2026-11-22">: one bar a day, the newest at the right.
// <small-curve values="961e8,,-,964e8" last="2026-11-22">: how large a source was on each day.
// <small-curve values="81e6,0" step="2" unit="/s" gaps>: how fast a run was, until now.
//
// One path a state instead of one a day: hundreds of strips on a page stay cheap. What a place means
// is said on hover, and with the arrow keys when it has the focus. Text is text only.

const SHAPES = {
  // each state has its own silhouette, so that colour is never alone; 5 wide, 24 high
  o: ["Succeeded", "h5v24h-5z"],
  w: ["Succeeded, with warnings", "h5v4.5h-5zm0 7.5h5v16.5h-5z"],
  f: ["Failed", "h5v7.5l-5 5zm5 11.5v12.5h-5v-7.5z"],
  h: ["Held for your approval", "h1.8v24h-1.8zm3.2 0h1.8v24h-1.8z"],
  s: ["Stopped by you", "m0 12h5v12h-5z"],
  m: ["Missed", "h5v24h-5zm1.4 1.4v21.2h2.2v-21.2z"],
  r: ["Running", "m0 1h5v2.5h-5zm0 6h5v2.5h-5zm0 11h5v13h-5z"],
  n: ["No run", "m0 21h5v3h-5z"],
};
const STEP = 7;
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const SVG = "http://www.w3.org/2000/svg";
const DAY_MS = 24 * 60 * 60 * 1000;

let tip = null; // one for all strips of the page
let pointed = null; // the one it speaks of

function tipElement() {
  if (!tip) {
    tip = Object.assign(document.createElement("div"), { className: "strip-tip", hidden: true });
    tip.setAttribute("role", "status");
    document.body.append(tip);
  }
  return tip;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

// as humanize.size has it
function size(bytes) {
  let [value, unit] = [bytes, 0];
  while (unit < UNITS.length - 1 && Math.round(value) >= 1000) [value, unit] = [value / 1000, unit + 1];
  return `${value.toFixed(unit && value < 9.95 ? 1 : 0)} ${UNITS[unit]}`;
}

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Something with a row of places, each of which says on its own what it means.
class Places extends HTMLElement {
  // of the Tab key
  get isStop() {
    return true;
  }

  connectedCallback() {
    if (this.dataset.ready) return;
    this.dataset.ready = "yes";
    if (!this.classList.contains("one")) {
      this.setAttribute("role", "img");
      if (this.isStop) this.tabIndex = 0;
      const point = (event) => this.point(this.placeAt(event.clientX));
      this.addEventListener("pointermove", point);
      this.addEventListener("pointerdown", point);
      this.addEventListener("pointerleave", (event) => {
        if (event.pointerType !== "touch") this.point(null); // a finger that was lifted: it stays
      });
      this.addEventListener("focus", () => this.matches(":focus-visible") && this.point(this.count - 1));
      this.addEventListener("blur", () => this.point(null));
      this.addEventListener("keydown", (event) => this.key(event));
    }
    this.draw();
  }

  attributeChangedCallback() {
    if (!this.dataset.ready) return;
    this.draw();
    if (this.pointed !== null && this.pointed !== undefined) this.point(this.pointed); // it moved on
  }

  placeAt(x) {
    const box = this.getBoundingClientRect();
    const place = Math.floor(((x - box.left) / box.width) * this.count);
    return Math.max(0, Math.min(this.count - 1, place));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -this.count, End: this.count };
    if (event.key === "Escape") this.point(null);
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = this.pointed ?? this.count - 1;
    this.point(Math.max(0, Math.min(this.count - 1, from + steps[event.key])));
  }

  point(place) {
    if (pointed !== this) pointed?.point(null);
    pointed = place === null ? null : this;
    this.pointed = place;
    this.mark?.(place);
    const shown = tipElement();
    shown.hidden = place === null || !this.count;
    if (shown.hidden) return;
    shown.textContent = this.words(place);
    const box = this.getBoundingClientRect();
    const middle = box.left + ((place + 0.5) / this.count) * box.width;
    const half = shown.offsetWidth / 2;
    const left = Math.max(half + 4, Math.min(innerWidth - half - 4, middle));
    const above = box.top - shown.offsetHeight - 6;
    shown.style.left = `${left}px`;
    shown.style.top = `${above > 0 ? above : box.bottom + 6}px`;
  }

  day(place) {
    const last = Date.parse(this.getAttribute("last")); // midnight UTC: a date without a zone
    if (Number.isNaN(last)) return "";
    const day = new Date(last - (this.count - 1 - place) * DAY_MS);
    return `${WEEKDAYS[day.getUTCDay()]} ${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]}`;
  }
}

class DayStrip extends Places {
  static observedAttributes = ["days", "last"];

  get letters() {
    return this.getAttribute("days") || "";
  }

  get count() {
    return this.letters.length;
  }

  draw() {
    const letters = this.letters;
    if (letters === this.drawn) return;
    this.drawn = letters;
    const paths = {};
    for (let place = 0; place < letters.length; place++) {
      const shape = SHAPES[letters[place]];
      if (!shape) continue;
      const at = `M${place * STEP} 0`;
      // every part of a silhouette that begins with m is relative to the bar's own corner
      const parts = shape[1].split("z").filter((part) => part).map((part) => at + part + "z");
      paths[letters[place]] = (paths[letters[place]] || "") + parts.join("");
    }
    const viewBox = `0 0 ${Math.max(1, letters.length) * STEP - 2} 24`;
    const svg = drawn("svg", { viewBox, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const [letter, d] of Object.entries(paths)) {
      svg.append(drawn("path", { class: `day-${letter}`, d, "fill-rule": "evenodd" }));
    }
    this.replaceChildren(svg);
  }

  words(place) {
    const happened = (SHAPES[this.letters[place]] || [""])[0];
    const name = this.day(place);
    return name ? `${name}: ${happened}` : happened;
  }
}

const [WIDE, HIGH] = [100, 20]; // of the drawing, which is stretched to the room there is

class SmallCurve extends Places {
  static observedAttributes = ["values", "last"];

  get isStop() {
    return this.hasAttribute("step"); // in a list the size stands beside it
  }

  // null: not known
  read() {
    const told = (this.getAttribute("values") || "").split(",");
    told.forEach((value, place) => {
      if (!value) told[place] = told[place - 1] ?? "-";
    });
    return told.map((value) => (value === "-" ? null : Number(value)));
  }

  get count() {
    return this.values.length;
  }

  at(place, value) {
    const x = ((place + 0.5) / this.count) * WIDE;
    return [x, HIGH - 1 - (value / this.most) * (HIGH - 3)]; // from zero
  }

  draw() {
    const values = (this.values = this.read());
    this.most = Math.max(1, ...values.map((value) => value ?? 0));
    const joins = !this.hasAttribute("gaps");
    let line = "";
    let area = "";
    let from = null;
    let before = null;
    values.forEach((value, place) => {
      if (value === null) {
        if (!joins) before = null;
        return;
      }
      const [x, y] = this.at(place, value).map((number) => number.toFixed(1));
      line += `${before ? "L" : "M"}${x} ${y}`;
      if (!before) line += "h.01"; // one alone is a dot
      area += before ? `L${x} ${y}` : `${from ? `L${from} ${HIGH}Z` : ""}M${x} ${HIGH}L${x} ${y}`;
      from = before = x;
    });
    if (from) area += `L${from} ${HIGH}Z`;
    const viewBox = `0 0 ${WIDE} ${HIGH}`;
    const svg = drawn("svg", { viewBox, preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(drawn("path", { class: "curve-area", d: area || "M0 0" }));
    svg.append(drawn("path", { class: "curve-line", d: line || "M0 0" }));
    this.dot = Object.assign(document.createElement("i"), { className: "curve-dot", hidden: true });
    this.replaceChildren(svg, this.dot);
    this.mark(this.pointed ?? null);
  }

  placeAt(x) {
    const place = super.placeAt(x);
    const known = this.values.map((value, at) => (value === null ? Infinity : Math.abs(at - place)));
    const nearest = known.indexOf(Math.min(...known));
    // where nothing is known for a while that is what is said
    return this.hasAttribute("gaps") || known[nearest] === Infinity ? place : nearest;
  }

  mark(place) {
    const value = place === null ? null : this.values[place] ?? null;
    this.dot.hidden = value === null;
    if (this.dot.hidden) return;
    const [x, y] = this.at(place, value);
    this.dot.style.left = `${x}%`;
    this.dot.style.top = `${(y / HIGH) * 100}%`;
  }

  words(place) {
    const value = this.values[place];
    const said = value === null ? "not measured" : size(value) + (this.getAttribute("unit") || "");
    const step = Number(this.getAttribute("step"));
    if (!step) return `${this.day(place)}: ${said}`;
    const back = (this.count - 1 - place) * step;
    return `${back ? `${back >= 60 ? `${Math.floor(back / 60)} min ` : ""}${back % 60} s ago` : "now"}: ${said}`;
  }
}

document.addEventListener("pointerdown", (event) => {
  if (pointed && !pointed.contains(event.target)) pointed.point(null);
});
const moved = (event) => event.target.contains(pointed) && pointed.point(null);
document.addEventListener("scroll", moved, { capture: true, passive: true });

if (!customElements.get("day-strip")) {
  customElements.define("day-strip", DayStrip);
  customElements.define("small-curve", SmallCurve);
}
