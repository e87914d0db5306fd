// A bucket, found by typing a part of its name among those of every provider, or typed whole where
// no list has it: an editable combobox with a grouped list (WAI-ARIA Authoring Practices 1.2).
//
// What is chosen is [provider, bucket]; a text that belongs to no provider yet stays a text, and
// nothing stays null. Everything shown is a text node: nothing here ever becomes HTML.

const MOST_SHOWN = 50; // of each provider
const HEIGHT = 340; // of the list, as in the style sheet
let made = 0;

function same(one, other) {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

function find(label, sought) {
  const at = label.toLocaleLowerCase().indexOf(sought);
  return at < 0 ? null : [label.slice(0, at), label.slice(at, at + sought.length), label.slice(at + sought.length)];
}

export default {
  inheritAttrs: false,
  props: {
    modelValue: null,
    groups: { type: Array, default: () => [] }, // of { id, name, note, buckets: [[name, label]] }
    label: String,
    placeholder: String,
    for: String,
  },
  emits: ["update:model-value"],
  data: () => ({ id: `pick-${++made}`, value: null, text: "", open: false, sought: false, active: -1, up: false }),
  template: `
    <div class="picker" :class="{ open, up }">
      <input ref="input" type="text" role="combobox" aria-autocomplete="list" autocomplete="off"
             spellcheck="false" autocapitalize="off" :id="$props.for" :placeholder="placeholder"
             :aria-expanded="String(open)" :aria-controls="id" :aria-activedescendant="current"
             :aria-describedby="$attrs['aria-describedby']" :value="text"
             @input="type($event.target.value)" @click="show" @keydown="key" @blur="leave">
      <div v-show="open" ref="list" class="picker-list" role="listbox" :id="id" :aria-label="label + ': buckets'"
           @mousedown.prevent>
        <template v-if="open">
        <div v-for="group in shown" :key="group.id" role="group" :aria-label="group.name">
          <div class="picker-head" aria-hidden="true">{{ group.name }}</div>
          <div v-for="option in group.options" :key="option.at" role="option" :id="id + '-' + option.at"
               class="picker-option" :class="{ active: option.at === active }"
               :aria-selected="String(option.chosen)" @click="take(option)"
               @mousemove="active = option.at"><span>{{ option.parts[0] }}<b>{{
               option.parts[1] }}</b>{{ option.parts[2] }}</span></div>
          <div v-if="group.note" class="picker-note">{{ group.note }}</div>
        </div>
        <div v-if="!shown.length" class="picker-note">No provider yet.</div>
        </template>
      </div>
      <span class="unseen" role="status">{{ open ? said : "" }}</span>
    </div>`,
  computed: {
    needle() {
      return this.sought ? this.text.trim().toLocaleLowerCase() : "";
    },
    shown() {
      let at = 0;
      const groups = [];
      for (const { id, name, note, buckets } of this.groups) {
        const found = [];
        let left = 0;
        for (const [bucket, label] of buckets) {
          const parts = find(label, this.needle);
          if (!parts) continue;
          if (found.length === MOST_SHOWN) left += 1;
          else found.push({ at: at++, value: [id, bucket], parts, chosen: this.isChosen(id, bucket) });
        }
        const more = left ? `${left.toLocaleString("en-US")} more: type a part of the name.` : "";
        if (found.length || !this.needle)
          groups.push({ id, name, options: found, note: more || note });
      }
      const typed = this.typedOptions.map((one) => ({ ...one, at: at++, chosen: false }));
      if (typed.length) {
        const none = groups.length ? "" : "No list has a bucket of this name.";
        groups.push({ id: "typed", name: "Not in a list?", options: typed, note: none });
      }
      return groups;
    },
    typedOptions() {
      const name = this.text.trim();
      if (!this.needle) return [];
      const without = this.groups.filter((group) => !group.buckets.some(([bucket]) => bucket === name));
      without.sort((one, other) => Number(!one.note) - Number(!other.note)); // those without a list
      return without.map((group) => ({ value: [group.id, name], parts: ["Use ", name, ` at ${group.name}`] }));
    },
    options() {
      return this.shown.flatMap((group) => group.options);
    },
    current() {
      return this.open && this.active >= 0 ? `${this.id}-${this.active}` : null;
    },
    said() {
      const number = this.options.length - this.typedOptions.length;
      return number === 1 ? "1 bucket" : `${number} buckets`;
    },
  },
  watch: {
    modelValue: {
      handler(now, before) {
        if (same(now, before)) return; // it came along with other groups
        this.value = now ?? null;
        this.settle();
      },
      immediate: true,
    },
    groups: "settle",
  },
  methods: {
    isChosen(id, bucket) {
      return same(this.value, [id, bucket]);
    },
    words(value) {
      if (!Array.isArray(value)) return value ?? "";
      const group = this.groups.find((one) => one.id === value[0]);
      const [, label] = group?.buckets.find(([bucket]) => bucket === value[1]) ?? value;
      return group ? `${label} · ${group.name}` : label;
    },
    settle() {
      // what is being typed is nobody else's to change
      if (!this.sought) this.text = this.words(this.value);
    },
    focus() {
      this.$refs.input.focus();
    },
    show() {
      if (this.open) return;
      const box = this.$refs.input.getBoundingClientRect();
      this.up = box.bottom + HEIGHT > innerHeight && box.top > innerHeight - box.bottom;
      this.open = true;
      this.active = this.options.findIndex((option) => option.chosen);
      if (!this.sought) this.$refs.input.select();
      this.follow();
    },
    hide() {
      this.open = false;
      this.active = -1;
    },
    type(text) {
      this.text = text;
      this.sought = true;
      this.show();
      // a guess of whose bucket it is would be wrong too often
      const found = this.options.length > this.typedOptions.length || this.options.length === 1;
      this.active = text.trim() && found ? 0 : -1;
      this.follow();
    },
    follow() {
      this.$nextTick(() => {
        const option = this.current && document.getElementById(this.current);
        option?.scrollIntoView({ block: "nearest" });
      });
    },
    key(event) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (!this.open) return this.show();
        const step = event.key === "ArrowDown" ? 1 : -1;
        const number = this.options.length;
        if (number) this.active = this.active < 0 && step < 0 ? number - 1 : (this.active + step + number) % number;
        this.follow();
      } else if (event.key === "Enter") {
        event.preventDefault();
        const option = this.options[this.active];
        if (this.open && option) this.take(option);
        else this.leave();
      } else if (event.key === "Escape" && this.open) {
        event.stopPropagation();
        this.sought = false;
        this.settle();
        this.hide();
      }
    },
    take(option) {
      this.give(option.value);
    },
    leave() {
      if (this.sought) this.give(this.meant());
      this.hide();
    },
    meant() {
      const name = this.text.trim();
      if (!name) return null;
      const named = this.groups.filter((group) => group.buckets.some(([bucket]) => bucket === name));
      const only = named.length ? named : this.groups;
      return only.length === 1 ? [only[0].id, name] : name;
    },
    give(value) {
      this.sought = false;
      this.hide();
      const isNew = !same(value, this.value);
      this.value = value;
      this.text = this.words(value);
      if (isNew) this.$emit("update:model-value", value);
    },
  },
};
