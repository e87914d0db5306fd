// Search as one types: the server looks a part of a second at a time, from where the reader is to
// the end and on from the top, and the count grows meanwhile.

import { count, patternOf } from "bucketvault-log/lines.js";

const TYPING_MS = 150;
const AGAIN_MS = 500; // between two looks at a log that grows
const MOST_HITS = 10000; // more are counted as "10,000+", and found one at a time
const BROKEN = "The search did not work";
const continued = (back) => `Continued from the ${back ? "end" : "top"}`;

export const searching = {
  onQuery() {
    this.hit = null;
    this.note = "";
    this.pattern = patternOf(this.query);
    this.anchor ??= Math.floor(this.position);
    this.forgetHits();
    clearTimeout(this.typing);
    this.typing = this.query ? setTimeout(() => this.search(true), TYPING_MS) : 0;
    if (!this.query) return this.clearQuery();
    if (this.matching) this.forgetRows();
    this.layout();
  },
  clearQuery() {
    if (this.matching) this.setMatching(false);
    this.query = "";
    this.pattern = this.anchor = this.hit = null;
    this.note = "";
    this.forgetHits();
    this.paint();
  },
  leaveSearch() {
    if (this.query) this.clearQuery();
    else this.$refs.scroller.focus({ preventScroll: true });
  },
  forgetHits() {
    this.scan += 1; // answers to questions of an earlier search are dropped
    this.hits = [];
    this.looked = { from: 0, to: 0, done: false, more: false };
    this.found = { count: 0, done: false, more: false, place: null };
    clearTimeout(this.typing);
    this.typing = 0;
  },
  // Look through the whole log; `jump`: show the first match from where the reader was.
  async search(jump = false) {
    this.forgetHits();
    if (!this.query) return;
    const from = this.matching ? 0 : (this.anchor ?? 0);
    this.looked = { from, to: from, done: false, more: false };
    const { scan } = this;
    try {
      let [after, before] = [[], []];
      await this.look(scan, from, Infinity, (rows) => {
        after = after.concat(rows);
        this.takeHits(after, jump && after[0]);
      });
      if (scan !== this.scan) return;
      await this.look(scan, 0, this.looked.more ? 0 : from, (rows) => {
        before = before.concat(rows.filter((row) => row < from));
        const first = jump && !after.length && before[0];
        if (Number.isInteger(first) && this.hit === null) this.note = continued(false);
        this.takeHits(before.concat(after), first);
      });
      if (scan !== this.scan) return;
      this.looked.done = true;
      this.tellFound();
      this.searchOn();
    } catch {
      if (scan === this.scan) this.note = BROKEN;
    }
  },
  // Look at the rows from `start` on, before `end`, a part at a time.
  async look(scan, start, end, take) {
    while (start < end && scan === this.scan) {
      const answer = await this.ask("/matches", { q: this.query, start });
      if (scan !== this.scan) return;
      start = answer.next;
      this.looked.to = Math.max(this.looked.to, start);
      this.looked.more = this.hits.length + answer.rows.length >= MOST_HITS;
      take(answer.rows);
      if (answer.done || this.looked.more) return;
    }
  },
  takeHits(hits, first) {
    this.hits = hits.slice(0, MOST_HITS);
    this.tellFound();
    if (Number.isInteger(first) && this.hit === null) this.jump(this.matching ? 0 : first);
    else if (this.matching) this.layout();
    else this.paint();
  },
  // What came since is looked at, too.
  searchOn() {
    const { looked, scan } = this;
    if (!this.query || !looked.done || looked.more || this.searchesOn) return;
    if (this.rowsThere <= looked.to) return;
    this.searchesOn = setTimeout(async () => {
      const again = Math.max(0, looked.to - 1); // the last line may have been half a line
      const known = this.hits.filter((row) => row < again);
      let found = [];
      await this.look(scan, again, Infinity, (rows) => {
        found = found.concat(rows);
        this.takeHits(known.concat(found));
      }).catch(() => {}); // it is tried with the next lines
      this.searchesOn = 0;
      this.searchOn();
    }, AGAIN_MS);
  },
  tellFound() {
    const { done, more, from } = this.looked;
    let place = null;
    if (this.matching) place = this.hit;
    else if (this.hit !== null && (done || !from)) place = this.placeOf(this.hit);
    const known = place !== null && place < this.hits.length && (!more || !from || this.matching);
    this.found = { count: this.hits.length, done, more, place: known ? place : null };
  },
  // How many matches are before a row.
  placeOf(row) {
    let [low, high] = [0, this.hits.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hits[middle] < row) low = middle + 1;
      else high = middle;
    }
    return low;
  },
  isMatch(index) {
    return !this.matching && this.hits[this.placeOf(index)] === index;
  },
  jump(row) {
    this.hit = row;
    this.anchor = this.matching ? this.hits[row] : row;
    this.centre(row);
    this.tellFound();
  },
  async find(back) {
    if (!this.query) return;
    if (this.typing) return this.search(true);
    let start = back ? Math.ceil(this.walk(this.position, this.view)) : Math.floor(this.position);
    if (this.hit !== null) start = back ? this.hit : this.hit + 1;
    if (this.matching) return this.showNext(start, back, this.total, (row) => row);
    const { done, more } = this.looked;
    if (done && !more) {
      return this.showNext(this.placeOf(start), back, this.hits.length, (place) => this.hits[place]);
    }
    await this.seek(start, back);
  },
  // The match of this place, or the one before it; at the end it goes on from the other end.
  showNext(place, back, total, rowOf) {
    let next = back ? place - 1 : place;
    this.note = "";
    if (total && (next < 0 || next >= total)) this.note = continued(back);
    next = next < 0 ? total - 1 : next >= total ? 0 : next;
    if (total) this.jump(rowOf(next));
  },
  // The same where not all matches are known: the server finds the next one.
  async seek(start, back) {
    const { scan, generation } = this;
    const seek = (from) => this.ask("/find", { q: this.query, start: from, back: back ? 1 : 0 });
    try {
      let { row } = await seek(Math.max(0, start));
      let note = "";
      if (row === null) {
        ({ row } = await seek(back ? this.rowsThere : 0));
        note = continued(back);
      }
      if (scan !== this.scan || generation !== this.generation) return;
      this.note = row === null ? "" : note;
      if (row !== null) this.jump(row);
    } catch {
      this.note = BROKEN;
    }
  },
  // Only the lines that match, or all of them around the one that was found.
  setMatching(on) {
    if (on === this.matching || (on && !this.query)) return;
    const at = this.hit ?? Math.floor(this.position);
    const row = on ? at : this.hits[at];
    this.forgetRows();
    this.matching = on;
    if (on && !(this.looked.done && !this.looked.more)) this.search();
    this.layout();
    const place = on ? this.placeOf(row) : row;
    if (place < this.total) this.jump(place);
    this.tellFound();
    this.tell();
  },
  async firstError() {
    if (this.matching) this.setMatching(false);
    if (this.only && this.only !== "errors") this.showOnly("");
    const { generation } = this;
    try {
      if (this.only) {
        if (this.total) this.jump(0);
        return;
      }
      const { row } = await this.ask("/first-error", {});
      if (generation !== this.generation) return;
      this.note = row === null ? "No errors in this log" : "";
      if (row !== null) this.jump(row);
    } catch {
      this.note = BROKEN;
    }
  },
};

// For `computed`.
export const counting = {
  foundWords() {
    const { count: many, done, more, place } = this.found;
    if (!this.query) return "";
    if (!many) return done ? "Not found" : "Searching…";
    const all = `${count(many)}${more || !done ? "+" : ""}`;
    if (place !== null) return `${count(place + 1)} of ${all}`;
    return `${all} ${all === "1" ? "match" : "matches"}`;
  },
};
