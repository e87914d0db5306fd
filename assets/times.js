// Times are told in the zone the page names. Here the viewer's own is added: <time-zone> says how
// far that one is away, and a <time> tells itself in it on hover, with the focus, and on a tap.
//
// A sentence with several times names them in data-times: `Ended=2026-11-22T00:42:04Z|Next=...`.

const OWN = Intl.DateTimeFormat().resolvedOptions().timeZone;
const TOLD = "time[datetime], [data-times]";
const SHOWN_MS = 4000; // a tap's words; nothing hovers there that could leave

const formats = new Map();

function parts(at, timeZone) {
  if (!formats.has(timeZone)) {
    const named = { weekday: "short", month: "short", day: "numeric", year: "numeric" };
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    formats.set(timeZone, new Intl.DateTimeFormat("en-US", { timeZone, ...named, ...clock }));
  }
  const found = formats.get(timeZone).formatToParts(at).map(({ type, value }) => [type, value]);
  return Object.fromEntries(found);
}

export function words(at, timeZone = OWN) {
  const { weekday, day, month, year, hour, minute } = parts(at, timeZone);
  return `${weekday} ${day} ${month} ${year}, ${hour}:${minute}`;
}

// as if its clocks showed UTC: the difference of two zones is that of these
function wall(at, timeZone) {
  const { month, day, year, hour, minute, second } = parts(at, timeZone);
  return Date.parse(`${day} ${month} ${year} ${hour}:${minute}:${second} UTC`);
}

function length(minutes) {
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return [hours && `${hours} h`, rest && `${rest} min`].filter((part) => part).join(" ");
}

function away(timeZone) {
  const now = new Date();
  const minutes = Math.round((wall(now, timeZone) - wall(now, OWN)) / 60_000);
  if (!minutes) return "";
  return `, now ${length(Math.abs(minutes))} ${minutes > 0 ? "ahead of" : "behind"} your clock`;
}

class TimeZone extends HTMLElement {
  static observedAttributes = ["zone"];

  connectedCallback() {
    this.tell();
  }

  attributeChangedCallback() {
    this.tell();
  }

  tell() {
    try {
      this.dataset.more = away(this.getAttribute("zone"));
    } catch {
      this.dataset.more = ""; // a zone this browser does not know
    }
  }
}

function known(zone) {
  try {
    return zone && parts(new Date(), zone) && zone;
  } catch {
    return "";
  }
}

// The same in the viewer's own zone; empty where the clocks of both show the same.
function own(told) {
  const zone = known(told.dataset.zone || document.querySelector("time-zone")?.getAttribute("zone"));
  const named = told.dataset.times?.split("|") || [`=${told.getAttribute("datetime")}`];
  const lines = [];
  for (const one of named) {
    const [label, text] = one.split("=");
    const at = new Date(text);
    if (Number.isNaN(at.getTime()) || (zone && words(at, zone) === words(at))) continue;
    lines.push(`${label ? `${label}: ` : ""}${words(at)}`);
  }
  return lines.length ? [`Your time (${OWN})`, ...lines].join(lines.length > 1 ? "\n" : " ") : "";
}

const given = new WeakMap(); // the title as it was, and with ours

function add(event) {
  const told = event.target.closest?.(TOLD) || event.target.querySelector?.(":scope > time[datetime]");
  if (!told) return null;
  const [before, after] = given.get(told) || ["", ""];
  const title = told.title === after ? before : told.title;
  const mine = own(told);
  told.title = [title, mine].filter((part) => part).join("\n");
  given.set(told, [title, told.title]);
  return told;
}

let tip = null;
let shown = null; // whose words it has
let leaving = 0;

function show(told) {
  if (!told?.title) return;
  shown = told;
  if (!tip) {
    tip = Object.assign(document.createElement("div"), { className: "strip-tip lines" });
    tip.setAttribute("role", "status");
    document.body.append(tip);
  }
  tip.textContent = told.title;
  tip.hidden = false;
  const box = told.getBoundingClientRect();
  const half = tip.offsetWidth / 2;
  const middle = Math.max(half + 4, Math.min(innerWidth - half - 4, box.left + box.width / 2));
  const above = box.top - tip.offsetHeight - 6;
  tip.style.left = `${middle}px`;
  tip.style.top = `${above > 0 ? above : box.bottom + 6}px`;
  clearTimeout(leaving);
  leaving = setTimeout(hide, SHOWN_MS);
}

function hide() {
  if (tip) tip.hidden = true;
}

if (!customElements.get("time-zone")) customElements.define("time-zone", TimeZone);
document.addEventListener("pointerover", add);
document.addEventListener("focusin", (event) => {
  if (!event.target.matches(":focus-visible")) return; // a tap, which also moves the focus
  hide();
  const told = add(event);
  if (told) show(told);
});
document.addEventListener("pointerdown", hide);
document.addEventListener("pointerup", (event) => {
  if (event.pointerType === "touch") show(add(event));
});
const moved = (event) => event.target.contains(shown) && hide();
document.addEventListener("scroll", moved, { capture: true, passive: true });
