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

const GREETED_MS = 4000; // by then a page and a server that are well have greeted each other
const LOOKS_MS = 5000;

let waiting = 0;
let looking = 0;

function follow() {
  const off = notice()?.getAttribute("aria-hidden") === "false";
  if (window.did_handshake) document.body.classList.add("greeted");
  clearTimeout(waiting);
  // going to another page closes the connection too: that is over before anybody reads
  waiting = setTimeout(() => show(off), off ? 800 : 0);
}

function show(off) {
  if (off === isOff()) return;
  document.body.classList.toggle("offline", off);
  const bar = document.getElementById("offline");
  if (!bar) return;
  bar.hidden = !off;
  clearInterval(looking);
  if (!off) return;
  say("Not connected. Trying again.");
  look();
  looking = setInterval(look, LOOKS_MS);
}

function say(what, ...links) {
  const bar = document.getElementById("offline");
  // the server's own clock, as it last told it: this machine's may be another
  const seen = document.getElementById("server-time")?.textContent.split("·")[0].trim();
  const words = `${what} What you see is from ${seen || "before"}.`;
  if (bar.firstChild?.textContent === words) return;
  bar.replaceChildren(words, ...links);
}

// The server takes no socket of somebody who signed out meanwhile, in another tab or by the command
// line, so trying again would go on for ever. This file, too, is given to nobody else.
async function look() {
  const answer = await fetch(import.meta.url, { cache: "no-store" }).catch(() => {});
  if (!isOff() || !answer) return;
  if (answer.status !== 401) return say("Not connected. Trying again.");
  const link = document.createElement("a");
  link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = "Sign in";
  say("You are signed out.", " ", link);
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
  if (window.did_handshake) return;
  // NiceGUI says nothing of a server that is gone before it was ever reached
  waiting = setTimeout(() => show(!window.did_handshake), GREETED_MS);
}
begin();
