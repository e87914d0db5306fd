// The log of one run, first to last line, with a few dozen row elements for a million lines.
//
// A spacer as tall as the whole log scrolls; a window of rows sticks to its top and is filled with
// the lines that belong there. New lines come over the websocket (`grew`), lines further back over
// HTTP. Everything shown is a text node: nothing here ever becomes HTML.

import { count, parted } from "bucketvault-log/lines.js";
import { moving } from "bucketvault-log/moving.js";
import { picking } from "bucketvault-log/picking.js";
import { reading } from "bucketvault-log/reading.js";
import { counting, searching } from "bucketvault-log/searching.js";
import template from "bucketvault-log/template.js";

const FILTERS = {
  "": "All",
  changes: "Changes",
  new: "New",
  replaced: "Replaced",
  removed: "Removed",
  kept: "Old version kept",
  steps: "Steps",
  warnings: "Warnings",
  errors: "Errors",
};
const PLAN_FILTERS = {
  "": "All",
  removed: "Removed",
  replaced: "Replaced",
  new: "New",
  warnings: "Warnings",
};
const TRANSFERRED = { moved: "Transferred" }; // set by the run's tile alone
const LOOK = "bucketvault-log"; // how lines look, for all logs in this browser
const WIDE = "bucketvault-log-wide"; // the log that has the whole window in this tab
const MOST_MARKS = 500; // in a line that is shown whole

function kept(storage, key) {
  try {
    return JSON.parse(window[storage].getItem(key));
  } catch {
    return null; // a browser that stores nothing, or what is none of ours
  }
}

function keep(storage, key, value) {
  try {
    window[storage].setItem(key, JSON.stringify(value));
  } catch {
    // it holds until the page is left
  }
}

export default {
  template,

  props: {
    url: String, // of the log's API
    first: Object, // what `grew` takes, as it was when the page was built
    showsPlan: Boolean, // the lines of a plan: what would change, by name
  },

  data() {
    const look = kept("localStorage", LOOK);
    return {
      lines: 0, // all of them
      totals: {}, // how many rows each filter leaves; "": all but progress lines
      only: "", // the filter
      size: "",
      growing: false,
      following: true, // the last line stays in view, also those that come after the run's end
      progress: false,
      wrap: look?.wrap === true,
      times: look?.times !== false,
      wide: kept("sessionStorage", WIDE) === this.url,
      query: "",
      matching: false, // only the lines that match
      found: { count: 0, done: false, more: false, place: null },
      note: "",
      here: null, // the row where the keyboard is
      whole: null, // its entry, while it is open
      picked: null, // the lines of the address: numbers of the first and the last
    };
  },

  computed: {
    ...counting,
    rowsThere() {
      return this.progress && !this.only ? this.lines : (this.totals[this.only] ?? 0);
    },
    total() {
      return this.matching ? this.found.count : this.rowsThere;
    },
    hasProgress() {
      return this.progress || this.lines > (this.totals[""] ?? 0);
    },
    offered() {
      const offered = this.showsPlan ? PLAN_FILTERS : FILTERS;
      const word = { ...FILTERS, ...TRANSFERRED }[this.only];
      return this.only in offered ? offered : { ...offered, [this.only]: word };
    },
    emptiness() {
      if (this.matching) return this.found.done ? "No matching lines." : "Searching…";
      if (this.only && this.lines) return this.growing ? "No such lines yet." : "No such lines.";
      return this.growing ? "No lines yet." : "This log has no lines.";
    },
    title() {
      return this.showsPlan ? "What it would change" : "Log";
    },
    words() {
      if (!this.lines) return ["", ""];
      const last = this.growing ? ", growing" : this.showsPlan ? ", nothing touched" : "";
      const some = this.only || this.matching;
      const all = some ? (this.totals[""] ?? 0) : this.total;
      const shown = some ? `${count(this.total)} of ` : "";
      return [`${shown}${count(all)} ${all === 1 ? "line" : "lines"}`, last];
    },
    pickedWords() {
      const { whole, picked } = this;
      if (!picked) return ["Progress", whole.time].filter(Boolean).join(", ");
      const { from, to } = picked;
      if (from !== to) return `Lines ${count(from + 1)} to ${count(to + 1)} (${count(to - from + 1)})`;
      return [`Line ${count(from + 1)}`, whole?.time].filter(Boolean).join(", ");
    },
    wholeParts() {
      const text = [this.whole.object, this.whole.text].filter(Boolean).join("\n");
      return parted(text, this.query ? this.pattern : null, MOST_MARKS);
    },
  },

  created() {
    this.cache = new Map();
    this.heights = new Map(); // of wrapped lines that were painted
    this.extra = 0;
    this.pool = [];
    this.position = 0; // the line at the upper edge; whole and a part
    this.expected = 0; // where we last put the scroll bar
    this.hit = null; // the row a search or First error found
    this.view = 0; // height of the window in pixels
    this.width = 0;
    this.row = 24; // height of a row in pixels
    this.loading = false;
    this.generation = 0; // answers to questions from before a change of rows are dropped
    this.heard = 0; // how often we were told how long it is: an answer from before may say less
    this.scan = 0;
    this.pattern = this.anchor = null; // of the search: what is marked, and where it began
    this.searchesOn = 0;
    this.pickedFrom = 0; // the line that was picked first
    this.forgetHits();
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
    document.addEventListener("keydown", this.onPageKey);
    window.addEventListener("hashchange", this.openAddress);
    window.socket?.on("connect", this.refresh);
    this.tell();
    this.measure();
    this.openAddress();
  },

  unmounted() {
    this.narrow.removeEventListener("change", this.measure);
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.onVisible);
    document.removeEventListener("keydown", this.onPageKey);
    window.removeEventListener("hashchange", this.openAddress);
    window.socket?.off("connect", this.refresh);
    clearTimeout(this.retry);
    this.forgetHits();
  },

  methods: {
    ...reading,
    ...moving,
    ...searching,
    ...picking,
    number: count,

    // Keys of the lines, while they have the focus.
    onKey(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const page = Math.max(1, Math.floor(this.view / this.row) - 1) * this.row;
      const pages = { PageDown: page, PageUp: -page, " ": event.shiftKey ? -page : page };
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in steps && event.shiftKey) this.stepPicked(steps[event.key]);
      else if (event.key in steps) this.step(steps[event.key]);
      else if (event.key in pages) this.move(this.walk(this.position, pages[event.key]));
      else if (event.key === "Home" || event.key === "g") this.move(0);
      else if (event.key === "End" || event.key === "G") this.move(Infinity);
      else if (event.key === "Enter") this.whole ? this.closeWhole() : this.open(this.markable());
      else if (event.key === "Escape" && (this.here !== null || this.picked)) this.closeWhole();
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    // Keys of the whole page; docs/decisions/logs.md says why.
    onPageKey(event) {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.("input, textarea, select, [contenteditable], dialog, .q-dialog")) return;
      const act = {
        n: () => this.find(false),
        N: () => this.find(true),
        o: () => this.setMatching(!this.matching),
        f: () => this.setFollowing(!this.following),
        w: () => this.setWrap(!this.wrap),
        t: () => this.setTimes(!this.times),
        m: () => this.setWide(!this.wide),
        c: () => this.copyPicked(),
        l: () => this.picked && this.copyLink(),
        e: () => this.firstError(),
        Escape: () => (this.picked || this.whole ? this.closeWhole() : this.setWide(false)),
      }[event.key];
      if (!act || !this.lines) return;
      act();
    },
    showOnly(only) {
      const row = [this.hit, this.here].find((one) => one !== null);
      const entry = row === undefined ? undefined : this.cache.get(row);
      const changed = only !== this.only;
      this.only = only;
      if (changed) {
        this.forgetRows();
        this.position = this.following ? Infinity : 0;
        this.search();
        this.layout();
        // from a filtered row back to what stands around it
        if (!only && entry && !this.progress && !this.matching) this.jump(entry.number);
        this.tell();
      }
      const { top, bottom } = this.$el.getBoundingClientRect();
      if (top > window.innerHeight - 200 || bottom < 200) this.$el.scrollIntoView();
    },
    setProgress(progress) {
      const share = this.last() ? this.position / this.last() : 1;
      this.progress = progress;
      this.forgetRows();
      this.search();
      this.position = this.following ? Infinity : share * this.last();
      this.layout();
      this.tell();
    },
    setWrap(wrap) {
      this.wrap = wrap;
      this.keepLook();
    },
    setTimes(times) {
      this.times = times;
      this.keepLook();
    },
    keepLook() {
      keep("localStorage", LOOK, { wrap: this.wrap, times: this.times });
      this.$nextTick(this.measure);
    },
    setWide(wide) {
      this.wide = wide;
      keep("sessionStorage", WIDE, wide ? this.url : null);
      this.$nextTick(this.measure);
    },
    onVisible() {
      if (document.hidden) return;
      this.layout();
      this.refresh();
    },
  },
};
