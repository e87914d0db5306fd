// <day-strip days="ooofo" last="2026-11-22">: one bar a day, the newest at the right.
//
// One path a state instead of one a day: hundreds of strips on a page stay cheap. What a bar means
// is said on hover, and with the arrow keys when the strip has the focus. Text is text only.

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

function tipElement() {
  if (!tip) {
    tip = Object.assign(document.createElement("div"), { className: "strip-tip", hidden: true });
    tip.setAttribute("role", "status");
    document.body.append(tip);
  }
  return tip;
}

class DayStrip extends HTMLElement {
  static observedAttributes = ["days", "last"];

  connectedCallback() {
    if (this.dataset.ready) return;
    this.dataset.ready = "yes";
    if (!this.classList.contains("one")) {
      this.setAttribute("role", "img");
      this.tabIndex = 0;
      this.addEventListener("pointermove", (event) => this.point(this.placeAt(event.clientX)));
      this.addEventListener("pointerleave", () => this.point(null));
      this.addEventListener("focus", () => this.matches(":focus-visible") && this.point(this.count - 1));
      this.addEventListener("blur", () => this.point(null));
      this.addEventListener("keydown", (event) => this.key(event));
    }
    this.draw();
  }

  attributeChangedCallback() {
    if (this.dataset.ready) this.draw();
  }

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
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${Math.max(1, letters.length) * STEP - 2} 24`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const [letter, drawing] of Object.entries(paths)) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", `day-${letter}`);
      path.setAttribute("d", drawing);
      path.setAttribute("fill-rule", "evenodd");
      svg.append(path);
    }
    this.replaceChildren(svg);
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
    this.pointed = place;
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

  words(place) {
    const happened = (SHAPES[this.letters[place]] || [""])[0];
    const last = Date.parse(this.getAttribute("last")); // midnight UTC: a date without a zone
    if (Number.isNaN(last)) return happened;
    const day = new Date(last - (this.count - 1 - place) * DAY_MS);
    const name = `${WEEKDAYS[day.getUTCDay()]} ${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]}`;
    return `${name}: ${happened}`;
  }
}

if (!customElements.get("day-strip")) customElements.define("day-strip", DayStrip);
