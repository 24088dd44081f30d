"""The shape of the tree: the core is pure, and what is impure depends on it, never it on that."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "conductor_core"

# For users' tests and for exploration: on top of the core, which knows nothing of them.
ABOVE_THE_CORE = ("testing", "checking")
PURE = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "collections",
        "difflib",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "reprlib",
        "string",
        "textwrap",
        "types",
        "typing",
    }
)
DEPENDENCIES = frozenset({"attrs", "cattrs", "typing_extensions"})
# They reach the world, run text as code, or depend on where an object lies in memory.
IMPURE_BUILTINS = frozenset(
    {
        "__import__",
        "breakpoint",
        "compile",
        "eval",
        "exec",
        "globals",
        "hash",
        "id",
        "input",
        "open",
        "print",
        "vars",
    }
)
ORDERED_BY = frozenset(
    {"dict", "enumerate", "iter", "list", "map", "next", "reversed", "tuple", "zip"}
)


def modules(folder: Path) -> list[Path]:
    """Every module below a folder, in a fixed order."""
    return sorted(folder.rglob("*.py"))


def is_core(path: Path) -> bool:
    """Whether a module belongs to the pure core."""
    return path.relative_to(CORE).parts[0] not in ABOVE_THE_CORE


CORE_MODULES = [path for path in modules(CORE) if is_core(path)]


def name_of(path: Path) -> str:
    """The dotted name of a module of the core."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every module that a module imports, wherever it does so, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def belongs(module: str, allowed: frozenset[str]) -> bool:
    """Whether an imported name lies in one of the allowed packages."""
    return module.split(".", 1)[0] in allowed


# --- what the core imports ---


@pytest.mark.parametrize("path", CORE_MODULES, ids=name_of)
def test_the_core_imports_only_pure_modules(path: Path) -> None:
    """A module of the core imports attrs, cattrs, typing-extensions, pure modules and the core.

    One knows the extra that reads faster, one lets threads wait for what another compiles.
    """
    of_one = {CORE / "scanners.py": {"msgspec"}, CORE / "building.py": {"threading"}}
    extra = of_one.get(path, set[str]())
    allowed = PURE | DEPENDENCIES | {"conductor_core"} | extra
    above = tuple(f"conductor_core.{name}" for name in ABOVE_THE_CORE)
    wrong = [
        f"line {line}: {module}"
        for module, line in imports(tree_of(path))
        if not belongs(module, allowed) or module.startswith(above)
    ]
    assert not wrong


@pytest.mark.parametrize("path", modules(CORE / "checking"), ids=name_of)
def test_the_checker_knows_nothing_of_what_tests_are_made_of(path: Path) -> None:
    """What users test with stands on the checker, never the checker on that."""
    wrong = [name for name, _ in imports(tree_of(path)) if "conductor_core.testing" in name]
    assert wrong == []


def test_what_stands_above_the_core_takes_decoded_data() -> None:
    """The packages above the core need hypothesis and asyncio at most: no YAML, no files."""
    allowed = PURE | DEPENDENCIES | {"asyncio", "conductor_core", "hypothesis"}
    wrong = [
        f"{name_of(path)}, line {line}: {module}"
        for path in modules(CORE)
        if not is_core(path) and "checking" not in path.parts
        for module, line in imports(tree_of(path))
        if not belongs(module, allowed)
    ]
    assert not wrong


LOADED = """
import sys
import attrs, cattrs, cattrs.gen, cattrs.strategies, typing_extensions
before = set(sys.modules)
for name in sys.argv[1:]:
    __import__(name)
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def test_importing_the_core_loads_nothing_impure() -> None:
    """In a fresh interpreter the core adds pure modules to those of its dependencies, no others."""
    names = [name_of(path) for path in CORE_MODULES]
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *names],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    # A module in C such as _json belongs to the pure module that it makes faster.
    accelerators = frozenset(f"_{name}" for name in PURE) | {"_blake2", "_sha2"}
    allowed = PURE | DEPENDENCIES | accelerators | {"conductor_core", "threading"}
    loaded = run.stdout.split()
    assert {"conductor_core", "conductor_core.reducer"} <= set(loaded)
    assert [module for module in loaded if not belongs(module, allowed)] == []


# --- what the core does ---


def calls(node: ast.AST, within: str = "") -> Iterator[tuple[str, int, str]]:
    """Every builtin-like name that is used, its line, and the function that uses it."""
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, ast.FunctionDef) else within
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
            yield child.id, child.lineno, inside
        yield from calls(child, inside)


@pytest.mark.parametrize("path", CORE_MODULES, ids=name_of)
def test_the_core_uses_no_impure_builtin(path: Path) -> None:
    """No module of the core reads, prints, evaluates or looks at addresses; hashes only to hash.

    Records are built by functions of a source text, as attrs does it, in one place.
    """
    in_place = {("hash", "__hash__")}
    if path == CORE / "building.py":
        in_place.add(("exec", "compiled"))
    wrong = [
        f"line {line}: {name}"
        for name, line, function in calls(tree_of(path))
        if name in IMPURE_BUILTINS and (name, function) not in in_place
    ]
    assert not wrong


def is_set(node: ast.AST) -> bool:
    """Whether an expression is a set by its form alone."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub)):
        return is_set(node.left) or is_set(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("set", "frozenset")
    return isinstance(node, (ast.Set, ast.SetComp))


def ordered_sets(tree: ast.Module) -> Iterator[int]:
    """Where the order of a set, which depends on the hash seed, would be seen."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)) and is_set(node.iter):
            yield node.iter.lineno
        elif isinstance(node, ast.Starred) and is_set(node.value):
            yield node.lineno
        elif isinstance(node, ast.Call) and any(is_set(argument) for argument in node.args):
            orders = isinstance(node.func, ast.Name) and node.func.id in ORDERED_BY
            joins = isinstance(node.func, ast.Attribute) and node.func.attr in ("join", "extend")
            if orders or joins:
                yield node.lineno


@pytest.mark.parametrize("path", CORE_MODULES, ids=name_of)
def test_the_core_never_looks_at_the_order_of_a_set(path: Path) -> None:
    """Sets are asked for members and sizes; nothing that is written depends on their order."""
    assert list(ordered_sets(tree_of(path))) == []


def test_the_check_for_sets_sees_what_it_should() -> None:
    """The check of the order of sets is itself alive."""
    seen = "for a in {1}: pass\n[*{1}]\nlist(set(x) - y)\n''.join({b for b in c})\n[d for d in {1}]"
    unseen = "len({1})\nsorted({1})\n1 in {1}\nset(x) == y\nfor a in [1]: pass"
    assert sorted(ordered_sets(ast.parse(seen))) == [1, 2, 3, 4, 5]
    assert list(ordered_sets(ast.parse(unseen))) == []


# --- who knows whom ---


def test_the_core_does_not_know_its_adapters() -> None:
    """Nothing in the core's package, tests for users included, imports an adapter."""
    wrong = [
        name_of(path)
        for path in modules(CORE)
        for module, _ in imports(tree_of(path))
        if belongs(module, frozenset({"conductor_adapters"}))
    ]
    assert not wrong


# The draft of a transition keeps the timers of what waits; orders serve rules and recovery.
BIRTHPLACES = tuple(f"conductor_core.{name}" for name in ("draft", "orders", "recovery", "rules"))


def creates(tree: ast.Module, classes: set[str]) -> Iterator[str]:
    """Every one of the classes that a module builds an object of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in classes:
                yield f"line {node.lineno}: {name}"


def test_only_rules_and_recovery_create_commands() -> None:
    """Commands are born in the rules, and again in recovery: a fact decides nothing."""
    body = tree_of(CORE / "commands.py").body
    classes = {node.name for node in body if isinstance(node, ast.ClassDef)} - {"Outcome"}
    born = {name_of(path): list(creates(tree_of(path), classes)) for path in CORE_MODULES}
    assert any(born[name] for name in born if name.startswith("conductor_core.rules"))
    assert {
        name: new for name, new in born.items() if new and not name.startswith(BIRTHPLACES)
    } == {}
