// Where the viewer is in the log, and what it paints there.
//
// The place is a line and a part of it. Lines have one height, so that any of a million is found
// by counting; with wrapped lines that is a guess for those not painted yet, and true for the rest.

import { fillRow, makeRow, showMark } from "bucketvault-log/lines.js";

const MOST_PIXELS = 8000000; // browsers cap the height of an element (Firefox at about 17.8 million)
const ABOVE = 6; // wrapped lines measured above those in view, for whoever scrolls up
const MOST_HEIGHTS = 10000;
const MOST_PAINTS = 4; // until the heights that a paint finds are those it began with

export const moving = {
  last() {
    return this.walk(this.total, -this.view); // the last line ends at the lower edge
  },
  height(line) {
    return this.wrap ? (this.heights.get(line) ?? this.row) : this.row;
  },
  // The place so many pixels from another.
  walk(from, pixels) {
    if (!this.wrap) return Math.max(0, Math.min(from + pixels / this.row, this.total));
    let line = Math.floor(from);
    let part = (from - line) * this.height(line) + pixels;
    while (part < 0 && line > 0) part += this.height(--line);
    while (line < this.total && part >= this.height(line)) part -= this.height(line++);
    return Math.max(0, line + Math.max(0, part) / this.height(line));
  },
  measure() {
    const row = parseFloat(getComputedStyle(this.$el).getPropertyValue("--log-row")) || 24;
    if (row !== this.row) this.pool.forEach((made) => (made.shown = ""));
    this.row = row;
    this.forgetHeights();
    this.layout();
  },
  layout() {
    const { scroller } = this.$refs;
    if (!scroller) return;
    this.stretch();
    const view = scroller.clientHeight;
    if (!view && this.total) return; // hidden: it keeps its place and is laid out when shown
    if (scroller.clientWidth !== this.width) this.forgetHeights();
    this.width = scroller.clientWidth;
    this.view = view;
    this.$refs.window.style.height = `${view}px`;
    this.position = this.following ? this.last() : Math.min(this.position, this.last());
    this.moveBar();
    this.paint();
    if (this.most() !== this.told) this.tell();
  },
  stretch() {
    const height = this.total * this.row + this.extra;
    this.$refs.spacer.style.height = `${Math.min(height, MOST_PIXELS)}px`;
  },
  linesPerPixel() {
    const { scroller } = this.$refs;
    return this.last() / Math.max(1, scroller.scrollHeight - scroller.clientHeight);
  },
  moveBar() {
    const rate = this.linesPerPixel();
    this.expected = rate ? this.position / rate : 0;
    const { scroller } = this.$refs;
    if (Math.abs(scroller.scrollTop - this.expected) > 1) scroller.scrollTop = this.expected;
  },
  move(position, { bar = true } = {}) {
    this.position = Math.max(0, Math.min(position, this.last()));
    const following = this.position >= this.last() - 0.01;
    if (following !== this.following) {
      this.following = following;
      this.tell();
    }
    if (bar) this.moveBar();
    this.paint();
  },
  reveal(row) {
    const least = this.walk(row + 1, -this.view);
    if (row < this.position) this.move(row);
    else if (this.position < least) this.move(least);
    else this.paint();
  },
  centre(row) {
    this.move(this.walk(row, -Math.floor(this.view / this.row / 3) * this.row));
    if (this.following) this.setFollowing(false);
  },
  step(rows) {
    if (this.here === null) return this.move(this.position + rows);
    this.here = Math.max(0, Math.min(this.here + rows, this.total - 1));
    this.reveal(this.here);
    this.open(this.here);
  },
  onScroll() {
    const top = this.$refs.scroller.scrollTop;
    if (Math.abs(top - this.expected) <= 1) return; // our own doing
    this.expected = top;
    this.move(top * this.linesPerPixel(), { bar: false });
  },
  onWheel(event) {
    if (event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    const unit = [1, this.row, this.view][event.deltaMode];
    const to = Math.min(this.walk(this.position, event.deltaY * unit), this.last());
    if (to === this.position) return; // at its end the page scrolls on
    event.preventDefault();
    this.move(to);
  },
  setFollowing(following) {
    this.following = following;
    this.tell();
    if (following) this.layout();
  },

  // ------------------------------------------------------------------ rows

  paint(again = 0) {
    if (!this.view) return;
    const first = Math.floor(this.position);
    const above = this.wrap ? Math.min(ABOVE, first) : 0;
    const rows = Math.ceil(this.view / this.row) + 1 + above;
    while (this.pool.length < rows) {
      const made = makeRow();
      this.pool.push(made);
      this.$refs.rows.append(made.element);
    }
    this.pool.forEach((row, place) => this.fill(row, first - above + place, place < rows));
    if (this.wrap && this.learnHeights() && again < MOST_PAINTS) {
      this.stretch();
      this.position = this.following ? this.last() : Math.min(this.position, this.last());
      this.moveBar();
      return this.paint(again + 1);
    }
    let hidden = (this.position - first) * this.height(first);
    for (let line = first - above; line < first; line++) hidden += this.height(line);
    this.$refs.rows.style.transform = `translateY(${-Math.round(hidden)}px)`;
    this.load(first, Math.min(first - above + rows, this.total));
  },
  fill(row, index, used) {
    row.element.hidden = !used || index >= this.total;
    row.entry = null;
    if (row.element.hidden) return;
    row.entry = this.cache.get(index) ?? null;
    row.index = index;
    fillRow(row, row.entry, this.marksOf(row), this.pattern);
    if (index === this.hit && !this.wrap) showMark(row);
  },
  marksOf({ index, entry }) {
    let name = "";
    if (index === this.here || this.isPicked(entry)) name += " here";
    if (this.isMatch(index)) name += " match";
    if (index === this.hit) name += " hit";
    return name;
  },
  // True if one of the rows that are painted is not as high as was thought.
  learnHeights() {
    let changed = false;
    for (const { element, entry, index } of this.pool) {
      if (element.hidden || !entry) continue;
      const height = element.offsetHeight;
      const before = this.heights.get(index);
      if (height === before || !height) continue;
      if (this.heights.size > MOST_HEIGHTS) this.forgetHeights();
      this.extra += height - (this.heights.get(index) ?? this.row);
      this.heights.set(index, height);
      changed = true;
    }
    return changed;
  },
  forgetHeights() {
    this.heights.clear();
    this.extra = 0; // pixels by which the measured lines are higher than a row each
  },
};
