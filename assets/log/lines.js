// One row of the log as elements and as text. Everything shown is a text node: nothing here ever
// becomes HTML.

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
const STATES = { warning: " st-warn", error: " st-bad" };
const MOST_MARKS = 50; // in one cell: a letter that stands a thousand times in it says nothing

export const ABSENT = { number: null, time: "", kind: "absent", object: "", text: "…" };

export function count(value) {
  return (value ?? 0).toLocaleString("en-US");
}

export function asLine(entry, times) {
  return [times && entry.time, entry.object, entry.text].filter(Boolean).join("  ");
}

// What finds a text in any case. Its length never changes by folding, so places stay true.
export function patternOf(text) {
  return text && new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
}

// [text, whether it is marked] in turn.
export function parted(text, pattern, most = MOST_MARKS) {
  const parts = [];
  let from = 0;
  if (pattern) {
    for (const found of text.matchAll(pattern)) {
      if (found.index > from) parts.push([text.slice(from, found.index), false]);
      parts.push([found[0], true]);
      from = found.index + found[0].length;
      if (parts.length >= 2 * most) break;
    }
  }
  if (from < text.length) parts.push([text.slice(from), false]);
  return parts;
}

function write(cell, text, pattern) {
  cell.title = text;
  if (!pattern) return void (cell.textContent = text); // quicker
  const nodes = parted(text, pattern).map(([part, marked]) =>
    marked ? Object.assign(document.createElement("mark"), { textContent: part }) : part,
  );
  cell.replaceChildren(...nodes);
}

export function makeRow() {
  const cell = (tag, name) => Object.assign(document.createElement(tag), { className: name });
  const row = {
    element: cell("div", "log-row"),
    number: cell("a", "number"),
    time: cell("span", "time"),
    sign: cell("i", "sign"),
    object: cell("span", "object"),
    text: cell("span", "text"),
    shown: "",
    entry: null,
    index: -1,
    scrolled: false,
  };
  row.number.tabIndex = -1; // the arrow keys walk, not the Tab key
  row.sign.setAttribute("aria-hidden", "true");
  row.element.append(row.number, row.time, row.sign, row.object, row.text);
  return row;
}

// `marks`: classes of this row beside those of its line; `pattern`: what is marked in its text.
export function fillRow(row, entry, marks, pattern) {
  const { number, time, kind, object, text } = entry ?? ABSENT;
  const name = `log-row k-${kind}${STATES[kind] ?? ""}${object ? "" : " no-object"}${marks}`;
  if (row.element.className !== name) row.element.className = name;
  const shown = `${number}\n${time}\n${object}\n${text}\n${pattern}`;
  if (row.shown === shown) return;
  row.shown = shown;
  if (row.scrolled) row.object.scrollLeft = row.text.scrollLeft = 0; // not always: it costs a layout
  row.scrolled = false;
  row.number.textContent = number === null ? "" : count(number + 1);
  if (number === null) row.number.removeAttribute("href");
  else row.number.setAttribute("href", `#L${number + 1}`); // safe: a number
  row.sign.className = `sign ${SIGNS[kind] ?? ""}`;
  write(row.time, time, pattern);
  write(row.object, object, pattern);
  write(row.text, text, pattern);
}

// A match behind the edge of its cell comes into view.
export function showMark(row) {
  for (const cell of [row.object, row.text]) {
    const mark = cell.querySelector("mark");
    if (!mark || cell.scrollWidth <= cell.clientWidth) continue;
    const end = mark.offsetLeft + mark.offsetWidth - cell.offsetLeft;
    if (end <= cell.clientWidth) continue;
    cell.scrollLeft = end - cell.clientWidth / 2;
    row.scrolled = true;
  }
}
