// Theme and keys: what a person sets up for this browser, and how to get around without a mouse.

const THEME = "bucketvault-theme"; // "light" or "dark"; absent: as the system has it
const DARK = matchMedia("(prefers-color-scheme: dark)");
const GO_MS = 1500; // between `g` and the letter of a page

function theme() {
  try {
    return localStorage.getItem(THEME) ?? "";
  } catch {
    return ""; // a browser that stores nothing
  }
}

// Quasar puts a class on the body by the system's theme, again and again; the choice is put over it.
function wear() {
  const dark = theme() ? theme() === "dark" : DARK.matches;
  const worn = document.body.classList;
  if (worn.contains("body--dark") !== dark) worn.toggle("body--dark", dark);
  if (worn.contains("body--light") === dark) worn.toggle("body--light", !dark);
  for (const one of document.querySelectorAll("[data-theme]"))
    one.setAttribute("aria-pressed", String(one.dataset.theme === theme()));
}

function choose(event) {
  const chosen = event.target.closest?.("[data-theme]");
  if (!chosen) return;
  try {
    if (chosen.dataset.theme) localStorage.setItem(THEME, chosen.dataset.theme);
    else localStorage.removeItem(THEME);
  } catch {
    // it is worn until the page is left
  }
  wear();
}

let wentAt = 0;

function key(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const help = document.getElementById("keys");
  if (event.key === "?") {
    event.preventDefault();
    help?.open ? help.close() : help?.showModal();
  } else if (event.key === "g") {
    wentAt = event.timeStamp;
  } else if (wentAt && event.timeStamp - wentAt < GO_MS) {
    wentAt = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (!link) return;
    event.preventDefault(); // the letter is no other key of the page
    link.click();
  }
}

function closeByGround(event) {
  if (event.target.id === "keys") event.target.close(); // beside it, not in it
}

document.addEventListener("click", choose);
document.addEventListener("click", closeByGround);
document.addEventListener("keydown", key);
DARK.addEventListener("change", wear);
new MutationObserver(wear).observe(document.body, { attributes: true, attributeFilter: ["class"] });

function begin() {
  if (!document.querySelector("[data-theme]")) return setTimeout(begin, 50); // not drawn yet
  wear();
}
wear();
begin();
