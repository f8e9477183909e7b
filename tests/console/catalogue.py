"""Every message key that the program can show, found by reading its sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOORS = [*(ROOT / "opsapp/console").rglob("*.py"), *(ROOT / "opsapp/portal").rglob("*.py")]
TUPLES = ("BECAUSE", "FAILURE_UNKNOWN", "FILLED_IN")
_IN_TEMPLATE = re.compile(r"""\b_\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


def keys() -> set[str]:
    return {key for key in (*_of_templates(), *_of_code(), *_of_words(), *_of_refusals()) if key}


def _of_templates() -> Iterator[str]:
    for file in (ROOT / "templates").rglob("*.html"):
        for double, single in _IN_TEMPLATE.findall(file.read_text()):
            yield (double or single).replace('\\"', '"').replace("\\'", "'")


def _of_code() -> Iterator[str]:
    """_("...") calls, the messages of form validators, and the names of lists' columns."""
    for file in [*DOORS, *(ROOT / "opsapp/insights").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", "")
            if name == "_" and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value
            if name == "Column" and isinstance(node.args[1], ast.Constant):
                yield node.args[1].value
            for keyword in node.keywords:
                if keyword.arg == "message" and isinstance(keyword.value, ast.Constant):
                    yield keyword.value.value


def _of_words() -> Iterator[str]:
    """Strings of the doors' files of words, and tables like NAVIGATION that read as text."""
    files = [file for file in DOORS if file.stem.endswith("words")]
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Word":
            yield node.args[0].value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Word"):
            yield from (text for argument in node.args for text in _texts(argument))
        elif isinstance(node, ast.Dict):
            for value in node.values:
                yield from _texts(value)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in TUPLES:
            yield from ast.literal_eval(node.value)
    for name in ("navigation", "payments"):
        tree = ast.parse((ROOT / f"opsapp/console/{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NAVIGATION":
                for entry in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
                    # An entry's label is its third argument, a group's its second.
                    yield entry.args[2 if entry.func.id == "Entry" else 1].value
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "BASES":
                yield from (value.value for value in node.value.values)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.Tuple):
        for element in node.elts:
            yield from _texts(element)


def _of_refusals() -> Iterator[str]:
    """message and remedy of every OpsError that this door can meet."""
    rooms = (
        "approvals", "bulk", "cash_receipts", "catalog", "checkout", "consents", "customers",
        "exports", "failures", "kernel", "notifications", "orders", "payments", "points",
        "programs", "recovery", "routing", "shop_events", "staff", "subscriptions", "tickets",
    )  # fmt: skip
    files = [ROOT / "opsapp" / room / "errors.py" for room in rooms]
    for file in [*filter(Path.exists, files), ROOT / "opsapp/kernel/paging.py"]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
                "message",
                "remedy",
            ):
                value = ast.literal_eval(node.value)
                if value and value != "{reason}":
                    yield value
