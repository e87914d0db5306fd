// What every page shares: "/" goes to the search, and a bar says when the server is out of reach.

// NiceGUI shows its own notice by this element; ours says more, and goes with it
const notice = () => document.getElementById("popup");

function slash(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const search = [...document.querySelectorAll("[data-search]")].find((one) => one.offsetParent);
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select?.();
}

function isOff() {
  return document.body.classList.contains("offline");
}

let waiting = 0;

function follow() {
  const off = notice()?.getAttribute("aria-hidden") === "false";
  clearTimeout(waiting);
  // going to another page closes the connection too: that is over before anybody reads
  waiting = setTimeout(() => show(off), off ? 800 : 0);
}

function show(off) {
  if (off === isOff()) return;
  document.body.classList.toggle("offline", off);
  const bar = document.getElementById("offline");
  if (!bar) return;
  if (off) {
    // the server's own clock, as it last told it: this machine's may be another
    const seen = document.getElementById("server-time")?.textContent.split("·")[0].trim();
    bar.textContent = `Not connected. Trying again. What you see is from ${seen || "before"}.`;
  }
  bar.hidden = !off;
}

// A press would be kept and sent when the server is back, perhaps minutes later: it is taken back.
// What is typed is kept and sent too, and that is right.
function refuse(event) {
  if (!isOff() || !event.target.closest?.("button, [role=switch], [role=button]")) return;
  // these work without the server
  if (event.target.closest("form, .segments, .sort, .log-card")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener("keydown", slash);
document.addEventListener("click", refuse, true);
const watching = new MutationObserver(follow);
function begin() {
  const shown = notice();
  if (!shown) return;
  watching.observe(shown, { attributes: true, attributeFilter: ["aria-hidden"] });
  follow();
}
begin();
