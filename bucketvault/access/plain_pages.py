"""Pages for users who are not signed in: plain HTML without scripts, the same in every browser."""

import base64
import hashlib
from html import escape

STYLE = """
:root { color-scheme: light dark; --bg: #f6f7f8; --card: #fff; --line: #cdd3da; --ink: #16202a;
  --ink2: #4b5764; --btn: #1b2631; --btn-ink: #fff; --bad: #a02222; --ring: #2a6fdb; }
@media (prefers-color-scheme: dark) { :root { --bg: #0e1216; --card: #151a20; --line: #3a434d;
  --ink: #e9edf1; --ink2: #b0bac5; --btn: #e6ebf0; --btn-ink: #141a20; --bad: #ffa5a1;
  --ring: #6ea6f5; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px;
  background: var(--bg); color: var(--ink);
  font: 400 15px/22px -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, Arial, sans-serif; }
main { width: 100%; max-width: 460px; padding: 28px; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; overflow-wrap: anywhere; }
h1 { margin: 0 0 12px; font-size: 20px; line-height: 28px; letter-spacing: -.01em; }
p { margin: 0 0 14px; color: var(--ink2); }
p.bad { color: var(--bad); font-weight: 500; }
code { font: 13px/20px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  padding: 2px 6px; border: 1px solid var(--line); border-radius: 5px; color: var(--ink); }
.after { margin-top: 20px; } .after p:last-child { margin: 0; }
label { display: block; margin-bottom: 6px; font-weight: 500; }
input, button { width: 100%; height: 40px; padding: 0 12px; border-radius: 8px; font: inherit; }
input { border: 1px solid var(--line); background: var(--bg); color: var(--ink); }
button { margin-top: 12px; border: 0; background: var(--btn); color: var(--btn-ink);
  font-weight: 500; cursor: pointer; }
:focus-visible { outline: 2px solid var(--ring); outline-offset: 2px; }
"""


# The sign-in page's address is everybody's. Where this browser has seen our pages under this name
# and port, it goes there, to the sign-in page below our path. There it takes its cookie back, which
# another port may have crowded out. Both are tried once; then the page stays.
COME_BACK = r"""
const take = (name) => {
  const found = localStorage.getItem(name);
  localStorage.removeItem(name);
  return found;
};
const go = (home) => location.replace(home + document.querySelector("[name=next]").value);
const below = location.pathname.match(/^(\/b-[\w-]{22})\/login$/);
const home = take("bucketvault");
if (!below && /^\/b-[\w-]{22}$/.test(home)) go(home);
const back = below && take("bucketvault-back");
if (back) {
  fetch(`${below[1]}/back`, { method: "POST", body: back }).then((answer) => {
    if (answer.status !== 204) return;
    localStorage.setItem("bucketvault-back", back);
    go(below[1]);
  });
}
"""
COME_BACK_HASH = base64.b64encode(hashlib.sha256(COME_BACK.encode()).digest()).decode()


def page(title: str, body: str, *, head: str = "") -> str:
    """Return a whole page. `title` is text; `body` and `head` are markup, escaped by the caller."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · bucketvault</title>"
        f'<link rel="icon" type="image/svg+xml" href="/favicon.ico">{head}'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main>"
        "</body></html>"
    )


def paragraphs(*texts: str) -> str:
    """Each text as a paragraph, escaped; text between backticks looks like a command."""
    return "".join(f"<p>{_code(text)}</p>" for text in texts if text)


def _code(text: str) -> str:
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
