// Lines that are picked: their address (#L123-L140), one of them whole, and copies as plain text.
//
// A line is picked by its number, so it stays picked whatever else is shown, and its address opens
// it also after the log grew.

import { ABSENT, asLine, count } from "bucketvault-log/lines.js";

const MOST_COPIED = 10000;
const ADDRESS_MS = 250;
const AT_ONCE = 300; // lines of one request
const SHOWN_CHARACTERS = 4000; // the server cuts a line there; opened, it is fetched whole
const ADDRESS = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/;

function addressOf({ from, to }) {
  return from === to ? `#L${from + 1}` : `#L${from + 1}-L${to + 1}`;
}

// What a hash picks; null where it is none of ours.
function pickedBy(hash) {
  const [, first, second] = ADDRESS.exec(hash) ?? [];
  const numbers = [first, second ?? first].map((text) => Number(text) - 1);
  if (!first || Math.min(...numbers) < 0) return null;
  return { from: Math.min(...numbers), to: Math.max(...numbers) };
}

function copyText(text) {
  if (navigator.clipboard && window.ClipboardItem) {
    // a promise: some browsers let a page copy only at once when a key or button is pressed
    const item = new ClipboardItem({
      "text/plain": text.then((plain) => new Blob([plain], { type: "text/plain" })),
    });
    return navigator.clipboard.write([item]);
  }
  return text.then((plain) => {
    // an address without TLS that is not this machine's own has no clipboard
    const area = Object.assign(document.createElement("textarea"), { value: plain });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("refused");
  });
}

export const picking = {
  isPicked(entry) {
    const { picked } = this;
    if (!picked || !entry || entry.number === null) return false;
    return entry.number >= picked.from && entry.number <= picked.to;
  },
  pick(from, to) {
    this.picked = { from: Math.min(from, to), to: Math.max(from, to) };
    // not for each of many keys: browsers refuse an address that changes too often
    clearTimeout(this.addressing);
    this.addressing = setTimeout(this.writeAddress, ADDRESS_MS);
  },
  writeAddress() {
    clearTimeout(this.addressing);
    const named = pickedBy(location.hash);
    if (!this.picked && !named) return; // it may be of something else
    const address = this.picked ? addressOf(this.picked) : location.pathname + location.search;
    history.replaceState(history.state, "", address);
  },
  // The lines of the address, if it names some.
  async openAddress() {
    const named = pickedBy(location.hash);
    if (!named) return;
    if (named.from >= (this.totals[""] ?? 0)) {
      const yet = this.growing ? " yet" : "";
      this.note = `There is no line ${count(named.from + 1)}${yet}`;
      return;
    }
    this.picked = named;
    this.pickedFrom = named.from;
    const row = await this.rowOf(named.from).catch(() => null);
    if (row === null || this.picked?.from !== named.from) return;
    this.centre(row);
    this.here = row;
    if (named.from === named.to) await this.open(row);
    this.$el.scrollIntoView();
  },
  onPress(event) {
    // Shift and a click pick lines; the browser would mark text
    if (event.shiftKey && document.getSelection().isCollapsed) event.preventDefault();
  },
  onClick(event) {
    const row = this.pool.find((one) => one.element.contains(event.target));
    const onNumber = row?.number.contains(event.target);
    if (onNumber && (event.ctrlKey || event.metaKey)) return; // a tab of its own
    if (onNumber) event.preventDefault();
    if (!row || !row.entry || !document.getSelection().isCollapsed) return;
    if (event.shiftKey && this.picked) this.pickTo(row.index);
    else if (this.whole && this.here === row.index) this.closeWhole();
    else this.open(row.index);
  },
  // From the line picked first to this one.
  pickTo(row) {
    const number = this.cache.get(row)?.number ?? null;
    if (number === null) return;
    this.pick(this.pickedFrom, number);
    this.here = row;
    if (this.picked.from === this.picked.to) this.open(row);
    else this.whole = null;
    this.reveal(row);
  },
  stepPicked(rows) {
    if (!this.picked || this.here === null) return this.open(this.markable());
    this.pickTo(Math.max(0, Math.min(this.here + rows, this.total - 1)));
  },
  async open(row) {
    if (row < 0 || row >= this.total) return;
    const known = this.cache.get(row);
    if (this.only === "steps" && known) return this.unfold(known.number);
    this.here = row;
    this.whole = known ?? ABSENT;
    this.pickOne(known);
    this.paint();
    this.$nextTick(() => this.$refs.whole?.scrollIntoView({ block: "nearest" }));
    if (known && known.text.length < SHOWN_CHARACTERS) return;
    const { generation } = this;
    const at = this.matching ? this.hits[row] : row;
    const answer = await this.ask("", { start: at, count: 1, whole: 1 }).catch(() => null);
    if (generation !== this.generation || this.here !== row || !this.whole) return;
    if (!answer?.rows.length) return;
    this.whole = answer.rows[0];
    this.pickOne(this.whole);
    this.paint();
  },
  pickOne(entry) {
    if (entry && entry.number !== null) this.pick((this.pickedFrom = entry.number), entry.number);
  },
  // From the steps alone to the lines of one.
  unfold(number) {
    this.showOnly("");
    if (!this.matching) this.rowOf(number).then((row) => row !== null && this.move(row));
  },
  closeWhole() {
    this.here = this.whole = this.picked = null;
    this.writeAddress();
    this.paint();
    this.$refs.scroller.focus({ preventScroll: true });
  },
  markable() {
    const inView = (row) =>
      row !== null && row >= this.position - 1 && row <= this.walk(this.position, this.view);
    return [this.here, this.hit].find(inView) ?? Math.ceil(this.position);
  },
  // The lines that are picked and shown, as they are shown; a single one whole.
  async pickedLines() {
    const { picked, whole, times } = this;
    if (whole && (!picked || picked.from === picked.to)) return [asLine(whole, times)];
    const start = await this.rowOf(picked.from);
    const end = (await this.rowOf(picked.to + 1)) ?? this.total;
    const lines = [];
    for (let row = start ?? end; row < end && lines.length < MOST_COPIED; ) {
      const most = Math.min(AT_ONCE, end - row, MOST_COPIED - lines.length);
      const { rows } = await this.fetchRows(row, most);
      if (!rows.length) break;
      lines.push(...rows.map((entry) => asLine(entry, times)));
      row += rows.length;
    }
    return lines;
  },
  async copyPicked() {
    if (!this.picked && !this.whole) return void (this.note = "Select a line first");
    let lines = [];
    const text = this.pickedLines().then((found) => (lines = found).join("\n"));
    await this.say(copyText(text), () => {
      if (lines.length === 1) return "Copied 1 line";
      const most = lines.length === MOST_COPIED ? "the first " : "";
      return `Copied ${most}${count(lines.length)} lines`;
    });
  },
  copyLink() {
    this.writeAddress();
    return this.say(copyText(Promise.resolve(location.href)), () => "Copied the link");
  },
  async say(copying, words) {
    try {
      await copying;
      this.note = words();
    } catch {
      this.note = "This browser did not allow copying";
    }
  },
  onCopy(event) {
    const selection = document.getSelection();
    const { anchorNode, focusNode } = selection;
    if (anchorNode === focusNode) return; // a part of one cell: as it is
    const rows = this.pool.filter(
      (row) => row.entry && !row.element.hidden && selection.containsNode(row.element, true),
    );
    const text = rows.map((row) => asLine(row.entry, this.times)).join("\n");
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  },
};
