// Every backup in a row. Search, sort and filter work here at once, and stand in the address, so
// that a reload or a bookmark shows the same. What changes comes row by row (`change`).
//
// Everything shown is a text node: nothing here ever becomes HTML.

import { markRaw, toRaw } from "vue";

const GROUPS = [
  ["", "All"],
  ["need", "Needs attention"],
  ["run", "Running"],
  ["good", "Good"],
  ["off", "Paused"],
];
const COLUMNS = [
  // name, words, whether the first press puts the largest first
  ["name", "Backup", false],
  ["days", "Last 30 days", null],
  ["last", "Last result", true],
  ["next", "Schedule", false],
  ["size", "Size", true],
  ["action", "", null],
];
const ON = "On: it runs on schedule. Press to pause it.";
const OFF = "Paused: it runs only when you press Run now. Press to resume the schedule.";

// rows are replaced, never changed: hundreds of them need no watching
const plain = (row) => markRaw(toRaw(row));

function words(row) {
  return [row.name, row.source.whole, row.destination.whole].join("\n").toLowerCase();
}

export default {
  template: `
    <section class="card backups" aria-label="All backups">
      <header>
        <div class="segments" role="group" aria-label="Show">
          <button v-for="[key, label] in groups" :key="key" type="button"
                  :aria-pressed="String(show === key)" @click="show = key">
            <span>{{ label }}</span> <span class="count num">{{ counts[key] }}</span></button>
        </div>
        <span class="space"></span>
        <label class="sorter">
          <span class="unseen">Sort by</span>
          <select v-model="sort">
            <option value="">Needs attention first</option>
            <template v-for="[key, label, down] in columns" :key="key">
              <option v-if="down !== null" :value="(down ? '-' : '') + key">{{ label }}</option>
              <option v-if="down !== null && sort === (down ? '' : '-') + key"
                      :value="sort">{{ label }}, turned round</option>
            </template>
          </select>
        </label>
        <div class="find">
          <i class="icon icon-search" aria-hidden="true"></i>
          <input type="search" v-model="query" placeholder="Search" aria-label="Search backups"
                 autocomplete="off" spellcheck="false" data-search @keydown.esc="query = ''">
          <kbd class="key" aria-hidden="true">/</kbd>
        </div>
      </header>
      <div role="table" aria-label="Backups" :aria-rowcount="shown.length + 1">
        <div role="row" class="b-row b-head">
          <div v-for="[key, label, down] in columns" :key="key" role="columnheader"
               :class="'c-' + key" :aria-sort="sorted(key)">
            <button v-if="down !== null" type="button" class="sort" @click="sortBy(key, down)">
              {{ label }}<i class="icon icon-up" aria-hidden="true"></i></button>
            <span v-else-if="label">{{ label }}</span>
            <span v-else class="unseen">Actions</span>
          </div>
        </div>
        <div v-for="row in shown" :key="row.id" v-memo="[row]" role="row" class="b-row"
             :class="{'has-live': row.live}">
          <div role="cell" class="c-name">
            <div class="line title">
              <i class="glyph" :class="row.tone" aria-hidden="true"></i>
              <a class="name clip" :title="row.name" :href="home + '/backups/' + row.id">{{ row.name }}</a>
            </div>
            <div class="way">
              <span class="chip" :title="row.source.whole">
                <span class="mark" :class="row.source.mark.toLowerCase()" aria-hidden="true">{{
                  row.source.mark }}</span>
                <span class="place">{{ row.source.place }}</span></span>
              <i class="icon icon-arrow" aria-hidden="true"></i>
              <span class="unseen">is copied to</span>
              <span class="chip" :title="row.destination.whole">
                <span class="mark" :class="row.destination.mark.toLowerCase()"
                      aria-hidden="true">{{ row.destination.mark }}</span>
                <span class="place">{{ row.destination.place }}</span></span>
            </div>
          </div>
          <div role="cell" class="c-days">
            <day-strip :days="row.days" :last="row.last" :aria-label="row.summary"></day-strip>
          </div>
          <div role="cell" class="c-last">
            <a v-if="row.run" class="pill" :class="row.tone" :title="row.word"
               :href="home + '/run/' + row.run" :aria-label="row.word + ', the last run of ' + row.name">{{ row.word }}</a>
            <span v-else class="pill" :class="row.tone">{{ row.word }}</span>
            <time class="t13 ink3 clip" :title="whole(row.when, row.when_exact)" :data-zone="row.zone"
                  :datetime="row.when_at">{{ row.when }}</time>
          </div>
          <div role="cell" class="c-next">
            <div class="clip" :title="row.schedule">{{ row.schedule }}</div>
            <time class="t13 ink3 clip" :title="whole(row.next, row.next_exact)" :data-zone="row.zone"
                  :datetime="row.next_at">{{ row.next }}</time>
          </div>
          <div role="cell" class="c-size num">{{ row.size }}
            <small-curve v-if="row.size" :values="row.sizes" :last="row.last"
                         aria-label="Size in the last 30 days"></small-curve></div>
          <div role="cell" class="c-action">
            <a v-if="row.look" class="btn small" :href="home + '/run/' + row.run"
               :aria-label="row.look + ': ' + row.name" :title="row.look">
              <i class="icon icon-eye" aria-hidden="true"></i><span>{{ row.look }}</span></a>
            <button v-else type="button" class="btn small" title="Run now"
                    :aria-label="'Run now: ' + row.name" @click="$emit('run', row.id)">
              <i class="icon icon-play" aria-hidden="true"></i><span>Run now</span></button>
            <button type="button" class="switch" role="switch" :aria-checked="String(row.on)"
                    :aria-label="'Schedule of ' + row.name" :title="row.on ? on : off"
                    @click="$emit('enable', {id: row.id, on: !row.on})"></button>
          </div>
          <div v-if="row.live" role="cell" class="c-live">
            <div class="bar live" :class="{unknown: row.live.percent === null}" role="progressbar"
                 aria-valuemin="0" aria-valuemax="100" :aria-label="row.name"
                 :aria-valuenow="row.live.percent === null ? undefined : row.live.percent">
              <i class="st-run" :style="{width: (row.live.percent || 0) + '%'}"></i></div>
            <div class="t13 ink2 nowrap num"><b class="strong ink1">{{ row.live.lead }}</b>
              <span class="wide-only">{{ row.live.figures }}</span>{{ row.live.left }}</div>
          </div>
        </div>
      </div>
      <div v-if="!shown.length" class="none" role="status">
        <span>No backup matches.</span>
        <button type="button" class="btn small" @click="query = show = ''">Show all</button>
      </div>
      <slot></slot>
    </section>`,

  props: { rows: Array, home: String },
  emits: ["run", "enable"],

  data() {
    const asked = new URLSearchParams(location.search);
    const known = (value, values) => (values.includes(value) ? value : "");
    const sorts = COLUMNS.flatMap(([key, , down]) => (down === null ? [] : [key, `-${key}`]));
    return {
      groups: GROUPS,
      columns: COLUMNS,
      on: ON,
      off: OFF,
      all: toRaw(this.rows).map(plain),
      show: known(asked.get("show"), GROUPS.map(([key]) => key)),
      query: asked.get("q") || "",
      sort: known(asked.get("sort"), sorts),
    };
  },

  computed: {
    counts() {
      const counts = { "": this.all.length };
      for (const [key] of GROUPS.slice(1)) counts[key] = 0;
      for (const row of this.all) if (row.group) counts[row.group] += 1;
      return counts;
    },
    shown() {
      const wanted = this.query.toLowerCase().split(/\s+/).filter((part) => part);
      const found = this.all.filter(
        (row) =>
          (!this.show || row.group === this.show) &&
          (!wanted.length || wanted.every((part) => words(row).includes(part))),
      );
      return this.sort ? found.sort(this.compare) : found;
    },
    address() {
      return [this.show, this.query, this.sort];
    },
  },

  watch: {
    address([show, query, sort]) {
      const asked = new URLSearchParams(location.search);
      for (const [name, value] of [["show", show], ["q", query], ["sort", sort]]) {
        asked.delete(name); // set anew at the end: the order is always the same
        if (value) asked.set(name, value);
      }
      const said = asked.toString();
      history.replaceState(history.state, "", location.pathname + (said ? `?${said}` : ""));
    },
  },

  methods: {
    // what may be cut, and the exact time behind it
    whole: (...said) => said.filter((words) => words).join("\n"),
    // other rows, in the order of `ids`; null: the order has not changed
    change(rows, ids) {
      const known = new Map(this.all.map((row) => [row.id, row]));
      for (const row of rows) known.set(row.id, plain(row));
      const order = ids || this.all.map((row) => row.id);
      this.all = order.map((id) => known.get(id)).filter((row) => row);
    },
    compare(one, other) {
      const down = this.sort.startsWith("-");
      const key = down ? this.sort.slice(1) : this.sort;
      if (key === "name") {
        const names = one.name.localeCompare(other.name, undefined, { numeric: true });
        return down ? -names : names;
      }
      const [a, b] = [one.by[key], other.by[key]];
      if (a === null || b === null) return (a === null) - (b === null); // unknown at the end
      return down ? b - a : a - b;
    },
    sortBy(key, down) {
      const [first, second] = down ? [`-${key}`, key] : [key, `-${key}`];
      this.sort = this.sort === first ? second : this.sort === second ? "" : first;
    },
    sorted(key) {
      if (this.sort === key) return "ascending";
      return this.sort === `-${key}` ? "descending" : undefined;
    },
  },
};
