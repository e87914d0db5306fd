// The log of one run, first to last line, with a few dozen row elements for a million lines.
//
// A spacer as tall as the whole log scrolls; a window of rows sticks to its top and is filled with
// the lines that belong there. New lines come over the websocket (`grew`), lines further back over
// HTTP. Everything shown is a text node: nothing here ever becomes HTML.

const MOST_PIXELS = 8000000; // browsers cap the height of an element (Firefox at about 17.8 million)
const AROUND = 100; // lines fetched on each side of those in view
const MOST_CACHED = 3000;
const RETRY_MS = 1500;
const SHOWN_CHARACTERS = 4000; // formatting.py cuts a line there; opened, it is fetched whole

const SIGNS = {
  new: "icon icon-new",
  replaced: "icon icon-swap",
  kept: "icon icon-box",
  aside: "icon icon-box",
  removed: "icon icon-minus",
  step: "icon icon-chev",
  purged: "icon icon-minus",
  warning: "glyph st-warn",
  error: "glyph st-bad",
};
const FILTERS = { "": "All", changes: "Changes", warnings: "Warnings", errors: "Errors" };
const TILES = {
  new: "copied",
  replaced: "replaced",
  kept: "kept",
  removed: "removed",
  moved: "copied and replaced",
}; // filters that the run's tiles set; each belongs to Changes
const STATES = { warning: " st-warn", error: " st-bad" };
const ABSENT = { time: "", kind: "absent", object: "", text: "…" };

function asLine(entry) {
  return [entry.time, entry.object, entry.text].filter((part) => part).join("  ");
}

function makeRow() {
  const cell = (tag, name) => Object.assign(document.createElement(tag), { className: name });
  const row = {
    element: cell("div", "log-row"),
    number: cell("span", "number"),
    time: cell("span", "time"),
    sign: cell("i", "sign"),
    object: cell("span", "object"),
    text: cell("span", "text"),
    shown: "",
    entry: null,
  };
  row.sign.setAttribute("aria-hidden", "true");
  row.element.append(row.number, row.time, row.sign, row.object, row.text);
  return row;
}

export default {
  template: `
    <section class="card log-card" :aria-label="title">
      <header>
        <h2>{{ title }}</h2>
        <span class="t13 ink3 num"><span class="nowrap">{{ words[0] }}</span><span v-if="size && lines" class="wide-only">, {{ size }}</span><span
          :class="{ 'wide-only': !growing }">{{ words[1] }}</span></span>
        <span class="space"></span>
        <label v-if="growing && lines" class="line t13 ink2">
          <button type="button" class="switch" role="switch" :aria-checked="String(following)"
                  aria-label="Follow the end of the log" @click="setFollowing(!following)"></button>
          <span>Follow</span>
        </label>
        <a v-if="lines" class="btn ghost small" :class="{ 'wide-only': growing }"
           :href="url + '/text'" download title="Download the log as people read it">
          <i class="icon icon-down" aria-hidden="true"></i><span>As text</span></a>
        <a v-if="lines" class="btn ghost small" :href="url + '/raw'" download
           title="Download rclone's own log, unchanged" aria-label="Download the raw log">
          <i class="icon icon-down" aria-hidden="true"></i><span>Raw</span></a>
      </header>
      <div v-if="lines" class="log-bar">
        <div class="filters" role="group" aria-label="Which lines are shown">
          <button v-for="(word, name) in offered" :key="name" type="button" class="filter"
                  :class="{ none: !totals[name] }" :aria-pressed="String(only === name)"
                  @click="showOnly(name)">
            <span>{{ word }}</span><span v-if="name" class="num">{{ number(totals[name]) }}</span>
          </button>
        </div>
        <label v-if="!only" class="line t13 ink2">
          <button type="button" class="switch" role="switch" :aria-checked="String(progress)"
                  aria-label="Show progress lines" @click="setProgress(!progress)"></button>
          <span>Progress lines</span>
        </label>
        <span class="space"></span>
        <span class="t13 ink3" role="status">{{ note }}</span>
        <button v-if="!showsPlan && totals.errors" type="button" class="btn small" @click="firstError">
          <i class="icon icon-alert" aria-hidden="true"></i><span>First error</span></button>
        <div class="find" role="search">
          <i class="icon icon-search" aria-hidden="true"></i>
          <input v-model="query" type="text" :placeholder="showsPlan ? 'Search the names' : 'Search the log'" autocomplete="off"
                 spellcheck="false" aria-label="Search the log; Enter for the next, Shift and Enter for the one before"
                 @input="forgetHit" @keydown.enter.prevent="find($event.shiftKey)"
                 @keydown.esc="clearQuery">
          <button type="button" class="btn ghost small square" aria-label="The match before"
                  title="The match before (Shift+Enter)" @click="find(true)">
            <i class="icon icon-up" aria-hidden="true"></i></button>
          <button type="button" class="btn ghost small square" aria-label="Next match"
                  title="Next match (Enter)" @click="find(false)">
            <i class="icon icon-up turned" aria-hidden="true"></i></button>
        </div>
      </div>
      <div class="log">
        <p v-if="!total" class="log-empty">{{ emptiness }}</p>
        <div class="log-scroller" ref="scroller" tabindex="0" role="log" aria-live="off"
             aria-label="Log lines: arrows, Page Up and Down, Home and End move; Enter opens a line"
             @scroll.passive="onScroll" @wheel="onWheel" @keydown="onKey">
          <div class="log-spacer" ref="spacer">
            <div class="log-window" ref="window"><div ref="rows" @click="onClick" @copy="onCopy"></div></div>
          </div>
        </div>
      </div>
      <div v-if="whole" ref="whole" class="log-whole" role="region" aria-label="The whole line"
           @keydown.esc="closeWhole">
        <div class="stack">
          <span class="t12 ink3 num">Line {{ number((whole.number ?? here) + 1) }}{{
            whole.time ? ", " + whole.time : "" }}</span>
          <pre tabindex="0" aria-live="polite">{{ [whole.object, whole.text].filter(Boolean).join("\\n") }}</pre>
        </div>
        <button type="button" class="btn ghost small square" aria-label="Close the line"
                title="Close (Esc)" @click="closeWhole">
          <i class="icon icon-close" aria-hidden="true"></i></button>
      </div>
    </section>`,

  props: {
    url: String, // of the log's API
    first: Object, // what `grew` takes, as it was when the page was built
    showsPlan: Boolean, // the lines of a plan: what would change, by name
  },

  data() {
    return {
      lines: 0, // all of them
      totals: {}, // how many rows each filter leaves; "": all but progress lines
      only: "", // the filter
      size: "",
      growing: false,
      following: true, // the last line stays in view, also those that come after the run's end
      progress: false,
      query: "",
      note: "",
      here: null, // the row that is marked and may be open
      whole: null, // its entry, while it is open
    };
  },

  computed: {
    total() {
      return this.progress && !this.only ? this.lines : (this.totals[this.only] ?? 0);
    },
    offered() {
      return this.only in TILES ? { ...FILTERS, [this.only]: `Only ${TILES[this.only]}` } : FILTERS;
    },
    emptiness() {
      if (this.only && this.lines) return this.growing ? "No such lines yet." : "No such lines.";
      return this.growing ? "No lines yet." : "This log has no lines.";
    },
    title() {
      return this.showsPlan ? "What it would change" : "Log";
    },
    words() {
      if (!this.lines) return ["", ""];
      const last = this.growing ? ", growing" : this.showsPlan ? ", nothing touched" : "";
      const all = this.only ? (this.totals[""] ?? 0) : this.total;
      const some = this.only ? `${this.number(this.total)} of ` : "";
      return [`${some}${this.number(all)} ${all === 1 ? "line" : "lines"}`, last];
    },
  },

  created() {
    this.cache = new Map();
    this.pool = [];
    this.position = 0; // the line at the upper edge; whole and a part
    this.expected = 0; // where we last put the scroll bar
    this.hit = null; // the row a search or First error found
    this.view = 0; // height of the window in pixels
    this.row = 24; // height of a row in pixels
    this.loading = false;
    this.generation = 0; // answers to questions from before a change of rows are dropped
    this.heard = 0; // how often we were told how long it is: an answer from before may say less
    this.following = !this.showsPlan; // what would change is read from its first line on
    this.take(this.first);
  },

  watch: {
    showsPlan(now) {
      if (!now) return;
      this.setFollowing(false);
      this.position = 0; // not `move`: of a log without lines that is the end, too
      this.layout();
    },
  },

  mounted() {
    this.narrow = window.matchMedia("(max-width: 700px)");
    this.narrow.addEventListener("change", this.measure);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.$refs.scroller);
    document.addEventListener("visibilitychange", this.onVisible);
    window.socket?.on("connect", this.refresh);
    this.tell();
    this.measure();
  },

  unmounted() {
    this.narrow.removeEventListener("change", this.measure);
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.onVisible);
    window.socket?.off("connect", this.refresh);
    clearTimeout(this.retry);
  },

  methods: {
    // ---------------------------------------------------------------- what the server says

    grew(news) {
      this.take(news);
      if (!document.hidden) this.layout(); // else when it is seen again
    },
    take(news) {
      this.heard += 1;
      const before = this.total;
      Object.assign(this, { lines: news.lines, totals: news.totals, size: news.size });
      this.growing = news.growing;
      if (news.again || this.total < before) this.forgetRows();
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
      if (answer.lines < before) this.forgetRows();
      this.layout();
    },
    async ask(path, question) {
      const progress = this.progress ? 1 : 0;
      const search = new URLSearchParams({ ...question, only: this.only, progress });
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
      const { following, progress, only } = this;
      const rows = (this.told = this.most());
      this.$emit("state", { following, progress, only, rows });
    },

    // ---------------------------------------------------------------- where we are

    last() {
      return Math.max(0, this.total - this.view / this.row);
    },
    measure() {
      const row = parseFloat(getComputedStyle(this.$el).getPropertyValue("--log-row")) || 24;
      if (row !== this.row) this.pool.forEach((made) => (made.shown = ""));
      this.row = row;
      this.layout();
    },
    layout() {
      const { scroller, spacer } = this.$refs;
      if (!scroller) return;
      spacer.style.height = `${Math.min(this.total * this.row, MOST_PIXELS)}px`;
      const view = scroller.clientHeight;
      if (!view && this.total) return; // hidden: it keeps its place and is laid out when shown
      this.view = view;
      this.$refs.window.style.height = `${view}px`;
      this.position = this.following ? this.last() : Math.min(this.position, this.last());
      this.moveBar();
      this.paint();
      if (this.most() !== this.told) this.tell();
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
      const rows = this.view / this.row;
      if (row < this.position) this.move(row);
      else if (row + 1 > this.position + rows) this.move(row + 1 - rows);
      else this.paint();
    },
    jump(row) {
      this.hit = row;
      this.move(row - Math.floor(this.view / this.row / 3));
      if (this.following) this.setFollowing(false);
    },

    // ---------------------------------------------------------------- what a person does

    onScroll() {
      const top = this.$refs.scroller.scrollTop;
      if (Math.abs(top - this.expected) <= 1) return; // our own doing
      this.expected = top;
      this.move(top * this.linesPerPixel(), { bar: false });
    },
    onWheel(event) {
      if (event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
      const unit = [1 / this.row, 1, this.view / this.row][event.deltaMode];
      const to = Math.max(0, Math.min(this.position + event.deltaY * unit, this.last()));
      if (to === this.position) return; // at its end the page scrolls on
      event.preventDefault();
      this.move(to);
    },
    onKey(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const page = Math.max(1, Math.floor(this.view / this.row) - 1);
      const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, " ": page };
      if (event.key in steps) this.step(steps[event.key]);
      else if (event.key === "Home" || event.key === "g") this.move(0);
      else if (event.key === "End" || event.key === "G") this.move(Infinity);
      else if (event.key === "Enter") this.whole ? this.closeWhole() : this.open(this.markable());
      else if (event.key === "Escape" && this.here !== null) this.closeWhole();
      else return;
      event.preventDefault();
    },
    step(rows) {
      if (this.here === null || Math.abs(rows) > 1) {
        this.move(this.position + rows);
        return;
      }
      this.here = Math.max(0, Math.min(this.here + rows, this.total - 1));
      this.reveal(this.here);
      if (this.whole) this.open(this.here);
    },
    markable() {
      const inView = (row) =>
        row !== null && row >= this.position - 1 && row <= this.position + this.view / this.row;
      return [this.here, this.hit].find(inView) ?? Math.ceil(this.position);
    },
    onClick(event) {
      const picked = this.pool.find((row) => row.element.contains(event.target));
      if (!picked || !picked.entry || !document.getSelection().isCollapsed) return;
      if (this.whole && this.here === picked.index) this.closeWhole();
      else this.open(picked.index);
    },
    onCopy(event) {
      const selection = document.getSelection();
      const { anchorNode, focusNode } = selection;
      if (anchorNode === focusNode) return; // a part of one cell: as it is
      const rows = this.pool.filter(
        (row) => row.entry && !row.element.hidden && selection.containsNode(row.element, true),
      );
      event.clipboardData.setData("text/plain", rows.map((row) => asLine(row.entry)).join("\n"));
      event.preventDefault();
    },
    async open(row) {
      if (row < 0 || row >= this.total) return;
      this.here = row;
      this.whole = this.cache.get(row) ?? ABSENT;
      this.paint();
      this.$nextTick(() => this.$refs.whole?.scrollIntoView({ block: "nearest" }));
      if (this.whole !== ABSENT && this.whole.text.length < SHOWN_CHARACTERS) return;
      const { generation } = this;
      const answer = await this.ask("", { start: row, count: 1, whole: 1 }).catch(() => null);
      if (generation !== this.generation || this.here !== row || !this.whole) return;
      if (answer?.rows.length) this.whole = answer.rows[0];
    },
    closeWhole() {
      this.here = this.whole = null;
      this.paint();
      this.$refs.scroller.focus({ preventScroll: true });
    },
    setFollowing(following) {
      this.following = following;
      this.tell();
      if (following) this.layout();
    },
    setProgress(progress) {
      const share = this.last() ? this.position / this.last() : 1;
      this.progress = progress;
      this.forgetRows();
      this.position = this.following ? Infinity : share * this.last();
      this.layout();
      this.tell();
    },
    showOnly(only) {
      const picked = [this.hit, this.here].find((row) => row !== null);
      const entry = picked === undefined ? undefined : this.cache.get(picked);
      const changed = only !== this.only;
      this.only = only;
      if (changed) {
        this.forgetRows();
        this.position = this.following ? Infinity : 0;
        this.layout();
        // from a filtered row back to what stands around it
        if (!only && entry && !this.progress) this.jump(entry.number);
        this.tell();
      }
      const { top, bottom } = this.$el.getBoundingClientRect();
      if (top > window.innerHeight - 200 || bottom < 200) this.$el.scrollIntoView();
    },
    number(value) {
      return (value ?? 0).toLocaleString("en-US");
    },
    onVisible() {
      if (document.hidden) return;
      this.layout();
      this.refresh();
    },

    // ---------------------------------------------------------------- search

    forgetHit() {
      this.hit = null;
      this.note = "";
      this.paint();
    },
    clearQuery() {
      this.query = "";
      this.forgetHit();
    },
    async find(back) {
      if (!this.query) return;
      let start = back ? Math.ceil(this.position + this.view / this.row) : Math.floor(this.position);
      if (this.hit !== null) start = back ? this.hit : this.hit + 1;
      const seek = (from) => this.ask("/find", { q: this.query, start: from, back: back ? 1 : 0 });
      const { query, generation } = this;
      try {
        let { row } = await seek(Math.max(0, start));
        let note = "";
        if (row === null) {
          ({ row } = await seek(back ? this.total : 0));
          note = row === null ? "Not found" : back ? "Went on from the end" : "Went on from the top";
        }
        if (query !== this.query || generation !== this.generation) return;
        this.note = note;
        if (row !== null) this.jump(row);
      } catch {
        this.note = "The search did not work";
      }
    },
    async firstError() {
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
        this.note = "The search did not work";
      }
    },

    // ---------------------------------------------------------------- rows

    forgetRows() {
      this.generation += 1;
      this.cache.clear();
      this.hit = this.here = this.whole = null;
      this.note = "";
    },
    paint() {
      if (!this.view) return;
      const first = Math.floor(this.position);
      const rows = Math.ceil(this.view / this.row) + 1;
      while (this.pool.length < rows) {
        const made = makeRow();
        this.pool.push(made);
        this.$refs.rows.append(made.element);
      }
      this.pool.forEach((row, place) => this.fill(row, first + place, place < rows));
      const part = Math.round((this.position - first) * this.row);
      this.$refs.rows.style.transform = `translateY(${-part}px)`;
      this.load(first, Math.min(first + rows, this.total));
    },
    fill(row, index, used) {
      row.element.hidden = !used || index >= this.total;
      row.entry = null;
      if (row.element.hidden) return;
      const entry = this.cache.get(index);
      row.entry = entry ?? null;
      row.index = index;
      const { number, time, kind, object, text } = entry ?? ABSENT;
      let name = `log-row k-${kind}${STATES[kind] ?? ""}`;
      if (!object) name += " no-object";
      if (index === this.here) name += " here";
      if (index === this.hit) name += " hit";
      if (row.element.className !== name) row.element.className = name;
      const shown = `${number}\n${time}\n${object}\n${text}`;
      if (row.shown === shown) return;
      row.shown = shown;
      row.number.textContent = entry ? this.number(entry.number + 1) : "";
      row.time.textContent = time;
      row.sign.className = `sign ${SIGNS[kind] ?? ""}`;
      row.object.textContent = row.object.title = object;
      row.text.textContent = row.text.title = text;
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
        const answer = await this.ask("", { start, count: to - start + AROUND });
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
        this.note = "The log cannot be read just now";
      }
      this.loading = false;
      if (arrived) {
        if (this.note === "The log cannot be read just now") this.note = "";
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
  },
};
