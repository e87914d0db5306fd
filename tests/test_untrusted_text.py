"""Text from elsewhere reaches text nodes only: what could make it more is found in the source.

Words of an error go to terminals, too: what they take from bytes of others is cleaned on its way.

Names of objects, buckets and backups, providers' errors and mail servers' answers are all written
by others. NiceGUI has doors through which text becomes markup, style, a property or a script; each
use of one takes constants, or says in a comment `# safe: ...` (`// safe: ...`) why it may.
"""

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path

import pytest

import bucketvault

PACKAGE = Path(bucketvault.__file__).parent
ASSETS = PACKAGE.parent / "assets"

MARKUP = {"html", "markdown", "restructured_text", "mermaid", "chat_message", "interactive_image"}
SCRIPTS = {"run_javascript", "eval", "exec", "compile", "Markup", "add_dynamic_resource"}
WORDS = {"props", "style", "classes", "tailwind", "add_slot", "default_props", "default_classes"}
IN_TEMPLATES = re.compile(
    r"v-html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    r"|javascript:|createContextualFragment"
)
# An address in a template comes from a row's `...href`, or from the log viewer's `url`: how those
# are made is looked at where Python makes them. `home` is our own path.
MADE_ADDRESS = re.compile(r"\s*((home \+ )?['`]/[a-z]|url \+ '/|(props\.home \+ )?[\w.]*href$)")
ADDRESS_KEYS = re.compile(r"(.*_)?href|url|src")
BOUND_ADDRESS = re.compile(r"(?<![\w-])(?::|v-bind:)(?:href|src|to|action)=\"([^\"]*)\"")


def found_in(source: str) -> list[str]:
    """Each use of such a door with anything but constants and without a reason, as `line: what`."""
    reasons = _lines_with_reasons(source)
    tree = ast.parse(source)
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and _is_constant(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        what = _wrong(node, constants)
        if what and not any(line in reasons for line in range(node.lineno, node.end_lineno + 1)):
            found.append(f"{node.lineno}: {what}")
    return found


def _wrong(node: ast.AST, constants: set[str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if (door := IN_TEMPLATES.search(node.value)) and "safe:" not in node.value:
            return door[0]
        return _bad_address_in(node.value)
    if isinstance(node, ast.Dict):
        return _bad_entry(node.keys, node.values, constants)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return _bad_entry([node.targets[0].slice], [node.value], constants)
    if not isinstance(node, ast.Call):
        return ""
    name = _name(node.func)
    last = name.rpartition(".")[2]
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    if last in SCRIPTS and not name.startswith("re."):
        return name
    if name.startswith(("ui.", "app.")) and (last in MARKUP or last.startswith("add_")):
        return name
    if any(keyword.arg in ("sanitize", "html") for keyword in node.keywords):
        return f"{name} with markup"
    if last.endswith("Error") and any(map(_holds_words_as_they_came, given)):
        return f"{name} with words as they came"
    if last in WORDS and not all(_is_constant(value, constants) for value in given):
        return f"{name} with data"
    if name in ("ui.link", "ui.navigate.to", "ui.download") and not _is_own_address(
        given[-1], constants
    ):
        return f"{name} to an address with data"
    return ""


def _holds_words_as_they_came(node: ast.AST) -> bool:
    """True if bytes become text in it that is not cleaned."""
    if isinstance(node, ast.Call):
        name = _name(node.func).rpartition(".")[2]
        if name in ("clean", "_cleaned"):
            return False
        if isinstance(node.func, ast.Attribute) and node.func.attr == "decode":
            return True
    return any(map(_holds_words_as_they_came, ast.iter_child_nodes(node)))


def _bad_entry(
    keys: Sequence[ast.expr | None], values: Sequence[ast.expr], constants: set[str]
) -> str:
    """An address with data among the entries of a dictionary that a page is made of."""
    for key, value in zip(keys, values, strict=True):
        named = isinstance(key, ast.Constant) and isinstance(key.value, str)
        if named and ADDRESS_KEYS.fullmatch(key.value) and not _is_own_address(value, constants):
            return f"an address with data: {key.value}"
    return ""


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_constant(node: ast.expr, constants: set[str]) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.Name():
            return node.id in constants
        case ast.Subscript(value=ast.Name()):
            return node.value.id.isupper()  # one of a constant table, such as CLASSES[tone]
        case ast.IfExp():
            return _is_constant(node.body, constants) and _is_constant(node.orelse, constants)
        case ast.BinOp():
            return _is_constant(node.left, constants) and _is_constant(node.right, constants)
        case ast.JoinedStr():
            return all(_is_constant(part, constants) for part in node.values)
        case ast.FormattedValue():
            return _is_constant(node.value, constants)
        case ast.Call():  # "...".replace("a", "b")
            return (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in ("replace", "strip")
                and _is_constant(node.func.value, constants)
                and all(_is_constant(value, constants) for value in node.args)
            )
    return False


def _is_own_address(node: ast.expr, constants: set[str]) -> bool:
    """A constant, or one on this site with numbers (`{id:d}`) in it."""
    if _is_constant(node, constants):
        return True
    if isinstance(node, ast.IfExp):
        return all(_is_own_address(part, constants) for part in (node.body, node.orelse))
    if isinstance(node, ast.Call) and _name(node.func) == "assets.own":
        return _is_own_address(node.args[0], constants)
    if not isinstance(node, ast.JoinedStr):
        return False
    first = node.values[0]
    begins_here = isinstance(first, ast.Constant) and re.match(r"/[a-z]", str(first.value))
    return bool(begins_here) and all(
        isinstance(part, ast.Constant)
        or (
            isinstance(part, ast.FormattedValue)
            and isinstance(part.format_spec, ast.JoinedStr)
            and ast.unparse(part.format_spec).strip("f'\"").endswith("d")
        )
        for part in node.values
    )


def _bad_address_in(template: str) -> str:
    for match in BOUND_ADDRESS.finditer(template):
        if not MADE_ADDRESS.match(match[1]):
            return f"an address from data: {match[0]}"
    return ""


def _lines_with_reasons(source: str) -> set[int]:
    """Lines a comment `# safe:` speaks for: its own, and the first line of code below."""
    lines = source.splitlines()
    reasons = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.string.startswith("# safe:"):
            line = token.start[0]
            reasons.add(line)
            while line < len(lines) and lines[line - 1].lstrip().startswith("#"):
                line += 1
            reasons.add(line)
    return reasons


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_door_takes_text_from_elsewhere(path: Path) -> None:
    assert found_in(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", sorted(ASSETS.rglob("*.js")), ids=lambda path: path.name)
def test_no_script_of_ours_makes_markup_of_text(path: Path) -> None:
    wrong = [
        line
        for line in path.read_text("utf-8").splitlines()
        if (IN_TEMPLATES.search(line) or _bad_address_in(line)) and "// safe:" not in line
    ]

    assert not wrong


@pytest.mark.parametrize(
    "source",
    [
        "ui.html(name)",
        "ui.html('<b>')",
        "ui.markdown('# x')",
        "ui.add_head_html(x)",
        "ui.add_css('a')",
        "app.add_static_files('/x', y)",
        "ui.run_javascript('x()')",
        "client.run_javascript(f'{x}')",
        "ui.label('x').props(f'label={name}')",
        "ui.label('x').props('label=' + name)",
        "ui.label('x').style(colour)",
        "ui.label('x').classes('{}'.format(name))",
        "ui.label('x').classes(f'a {b}')",
        "table.add_slot('body', f'<td>{name}</td>')",
        "ui.notify(text, html=True)",
        "x.add(sanitize=False)",
        "T = '<div v-html=\"row.name\">'",
        "T = '<a :href=\"row.url\">'",
        "ui.link(name, url)",
        "ui.link(name, f'{url}')",
        "ui.link(name, f'/x/{name}')",
        "ui.navigate.to(where)",
        "row = {'href': f'/{name}'}",
        "made.props['url'] = address",
        "raise RunFailedError(reason, 'x', '', stdout[:500].decode(errors='replace'))",
        "DiscoveryError(f'it said {said.decode()}')",
        "#\nui.html(x)  # unsafe: no reason",
    ],
)
def test_the_rule_finds(source: str) -> None:
    assert len(found_in(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "ui.label(name)",
        "ui.label(name).props('dense').classes('a b')",
        "ui.label(name).classes('a' if good else 'b')",
        "WIDE = 'wide'\nui.label(name).classes(f'a {WIDE}')",
        "ROW = '''<td>{{ props.row.name }}</td>'''\ntable.add_slot('body', ROW)",
        "ui.link(name, f'/run/{number:d}')",
        "ui.label(name).classes(add=CLASSES[tone])",
        "ui.navigate.to('/providers')",
        "raise RunFailedError(reason, 'x', '', clean(stdout[:500].decode(errors='replace')))",
        "row = {'href': f'/run/{run.id:d}' if run else ''}",
        "T = '''<a :href=\"'/run/' + props.row.id\">'''",
        "# safe: a constant of ours\nui.add_head_html(STYLE)",
        "# safe: a number,\n# and nothing else\nui.label('').style(f'width: {x:d}px')",
        "(\n    ui.label('')\n    .style(f'width: {x:d}px')  # safe: a number\n)",
    ],
)
def test_the_rule_lets_pass(source: str) -> None:
    assert found_in(source) == []
