// What the server says of the log: how long it is, and its lines, a few thousand at most.

const AROUND = 100; // lines fetched on each side of those in view
const MOST_CACHED = 3000;
const RETRY_MS = 1500;
const UNREADABLE = "The log cannot be read just now";

export const reading = {
  grew(news) {
    this.take(news);
    if (!document.hidden) this.layout(); // else when it is seen again
  },
  take(news) {
    this.heard += 1;
    const before = this.rowsThere;
    Object.assign(this, { lines: news.lines, totals: news.totals, size: news.size });
    this.growing = news.growing;
    if (news.again || this.rowsThere < before) this.startOver();
    else this.searchOn();
    if (this.matching) return;
    this.cache.delete(before - 1); // the last line may have been half a line
    if (news.progress !== this.progress || news.only !== this.only) return;
    news.rows.forEach((entry, index) => this.cache.set(news.start + index, entry));
    this.tidy();
  },
  async refresh() {
    const { heard } = this;
    const answer = await this.ask("", { start: 0, count: 0 }).catch(() => null);
    const before = this.lines;
    if (!answer || (answer.lines < before && heard !== this.heard)) return;
    this.lines = answer.lines;
    this.totals = answer.totals;
    if (answer.lines < before) this.startOver();
    else this.searchOn();
    this.layout();
  },
  async ask(path, { at = [], ...question }) {
    const progress = this.progress ? 1 : 0;
    const search = new URLSearchParams({ ...question, only: this.only, progress });
    at.forEach((row) => search.append("at", row));
    const answer = await fetch(`${this.url}${path}?${search}`);
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  },
  most() {
    // as many rows as it may come to show: with few lines the window is lower than it may be
    const high = parseFloat(getComputedStyle(this.$refs.scroller).maxHeight) || 0;
    return Math.ceil(Math.max(high, this.view) / this.row) + 1;
  },
  tell() {
    const { progress, only } = this;
    const rows = (this.told = this.most());
    const following = this.following && !this.matching; // new lines are not the next matches
    this.$emit("state", { following, progress, only, rows });
  },
  forgetRows() {
    this.generation += 1;
    this.cache.clear();
    this.forgetHeights();
    this.hit = this.here = this.whole = null;
    this.note = "";
  },
  startOver() {
    this.forgetRows();
    this.picked = null;
    this.search();
  },
  // Rows from `start` on as they are now, by their places in what is shown.
  async fetchRows(start, most) {
    if (!this.matching) return this.ask("", { start, count: most });
    const at = this.hits.slice(start, start + most);
    const answer = await this.ask("", { at });
    const whole = answer.rows.length === at.length; // else lines were dropped meanwhile
    return { start, total: Infinity, rows: whole ? answer.rows : [] };
  },
  async load(from, to) {
    if (this.loading) return;
    let absent = false;
    for (let index = from; index < to && !absent; index++) absent = !this.cache.has(index);
    if (!absent) return;
    this.loading = true;
    const { generation, heard } = this;
    const start = Math.max(0, from - AROUND);
    let arrived = false;
    try {
      const answer = await this.fetchRows(start, to - start + AROUND);
      if (generation === this.generation) {
        answer.rows.forEach((entry, place) => this.cache.set(answer.start + place, entry));
        const less = answer.total < this.total;
        arrived = this.cache.has(from) || less;
        if (less && heard === this.heard) {
          Object.assign(this, { lines: answer.lines, totals: answer.totals });
        } else if (less) {
          this.cache.delete(answer.total - 1); // may have been half a line then
        }
        this.tidy();
      }
      arrived = arrived || generation !== this.generation;
    } catch {
      this.note = UNREADABLE;
    }
    this.loading = false;
    if (arrived) {
      if (this.note === UNREADABLE) this.note = "";
      this.layout(); // paints, and fetches again where we are by now
    } else {
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.$refs.scroller && this.paint(), RETRY_MS);
    }
  },
  tidy() {
    if (this.cache.size <= MOST_CACHED) return;
    const at = this.following ? this.last() : this.position; // unseen, nothing is laid out
    const near = (row) => Math.abs(row - at) < MOST_CACHED / 3;
    for (const row of this.cache.keys()) if (!near(row)) this.cache.delete(row);
  },
  // The row of the line of this number, or of the next line shown; null where none follows.
  async rowOf(number) {
    if (number >= (this.totals[""] ?? 0)) return null;
    let row = number;
    if (this.only || this.progress) ({ row } = await this.ask("/row", { number }));
    if (!this.matching || row === null) return row;
    const place = this.placeOf(row);
    return place < this.hits.length ? place : null;
  },
};
