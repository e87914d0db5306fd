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

// where our pages begin: below a path that is this installation's own
const HOME = new URL(import.meta.url).pathname.replace(/\/assets\/[^/]*$/, "");
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
  const wanted = location.pathname.slice(HOME.length) + location.search;
  link.href = `/login?next=${encodeURIComponent(wanted)}`; // our path may be another by now
  link.textContent = "Sign in";
  say("You are signed out.", " ", link);
}

// these work without the server
const OWN = "form, .segments, .sort, .log-card";
const SENT_MS = 100; // what was typed before the greeting is sent by then, in any order

let held = null;

function press(event) {
  const pressed = event.target.closest?.("button, [role=switch], [role=button]");
  if (!pressed || pressed.closest(OWN)) return;
  // NiceGUI sets it to false when a page opens, and to true when it and the server have greeted
  if (!isOff() && window.did_handshake !== false) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  // While the server is gone a press would be kept and sent when it is back, perhaps minutes later:
  // it is taken back. What is typed is kept and sent too, and that is right.
  if (isOff() || held) return;
  held = pressed;
  pressWhenGreeted();
}

// Until the greeting everything waits for itself and is then sent in any order: a press on Save
// could come before what was typed.
function pressWhenGreeted() {
  if (!isOff() && !window.did_handshake) return setTimeout(pressWhenGreeted, 20);
  const pressed = held;
  if (isOff()) return (held = null);
  setTimeout(() => {
    held = null;
    pressed.click();
  }, SENT_MS);
}

// How many backups need attention, for whoever has other tabs before this one.
const tabIcon = document.querySelector('link[rel="icon"]');
const usualIcon = tabIcon?.getAttribute("href");

function showInTab() {
  const { needs, bad } = document.querySelector(".badge-place").dataset;
  const plain = document.title.replace(/^\(\d+\) /, "");
  const title = needs === "0" ? plain : `(${needs}) ${plain}`;
  if (document.title !== title) document.title = title;
  const icon = bad === "true" ? tabIcon.dataset.bad : usualIcon;
  if (tabIcon.getAttribute("href") !== icon) tabIcon.setAttribute("href", icon);
}

function followInTab() {
  if (!document.querySelector(".badge-place")) return setTimeout(followInTab, 50); // not drawn yet
  const watching = new MutationObserver(showInTab);
  const attributeFilter = ["data-needs", "data-bad"];
  watching.observe(document.body, { subtree: true, attributes: true, attributeFilter });
  watching.observe(document.querySelector("title"), { childList: true });
  showInTab();
}

document.addEventListener("keydown", slash);
document.addEventListener("click", press, true);
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
if (tabIcon) followInTab();

// For the sign-in page, whose address any port may know: where our pages are, and what gives this
// browser its cookie again. This storage is for this port alone.
try {
  localStorage.setItem("bucketvault", HOME);
  const name = `${HOME.slice(1)}=`;
  const back = document.cookie.split("; ").find((pair) => pair.startsWith(name));
  if (HOME && back) {
    localStorage.setItem("bucketvault-back", back.slice(name.length));
    document.cookie = `${name}; path=${HOME}; max-age=0`;
  }
} catch {
  // a browser that stores nothing: the link opens
}
