"""`./x mutate`: how many small lies in the code the tests find out (T51).

Each mutant is one file with one thing changed: a comparison, a boolean, a number, a statement left out. The tests of
its room run against it in a process of its own, forked from one in which everything foreign is imported. A mutant that
they pass has survived, and is a line that no test is about. `./x mutate [--most N] [PART OF A FILE'S NAME …]`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.util
import io
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent.parent
BAR = 0.9
_QUIET = "ignore::pytest.PytestAssertRewriteWarning"  # what is imported before needs no rewriting
SECONDS = 240.0
"""A mutant whose tests take this long has been found out: it hangs."""
TARGETS: dict[str, tuple[str, ...]] = {
    # Each file whose lines must be held by tests, and the tests that are about it, quick ones first.
    "vault/envelope.py": ("vault/test_envelope.py", "vault/test_independent.py"),
    "vault/release.py": ("vault/test_release.py",),
    "vault/keyring.py": ("vault/test_keyring.py", "vault/test_start.py"),
    "vault/tenant_key.py": ("vault/test_keyring.py", "vault/test_independent.py"),
    "vault/tickets.py": ("vault/test_tickets.py", "vault/test_echo.py"),
    "vault/echo.py": ("vault/test_echo.py",),
    "net/address_policy.py": ("net/test_address_policy.py",),
    "identity/families.py": ("identity/test_families.py",),
    "policy/granted.py": ("policy/test_granted.py",),
    "policy/approvals.py": ("policy/test_approvals_edges.py", "policy/test_approvals.py"),
}
FOREIGN = ("pytest", "hypothesis", "sqlalchemy.ext.asyncio", "aiosqlite", "asyncpg", "cryptography.hazmat.primitives",
           "httpx2", "starlette.applications", "anyio", "uvloop", "msgspec", "structlog")  # fmt: skip

_TYPES = frozenset({"str", "int", "bytes", "bytearray", "memoryview", "float"})
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.Mod: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    change: str
    source: str


def mutants(file: str) -> Iterator[Mutant]:
    """Every mutant of a file below `src/valetkey`."""
    tree = ast.parse((HERE / "src/valetkey" / file).read_text())
    said_only = {id(part) for node in ast.walk(tree) for said in _said_only(node) for part in ast.walk(said)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in said_only:
            continue
        for variant, change in _variants(node):
            copy = deepcopy(tree)
            original = next(one for at, one in enumerate(ast.walk(copy)) if at == number)
            _replace(copy, original, variant)
            source = ast.unparse(ast.fix_missing_locations(copy))
            yield Mutant(file, getattr(node, "lineno", 0), change, source)


def _said_only(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, decorators and what is imported for types only: mypy and the house hold them, no test does."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            yield node
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield from node.decorator_list


def _variants(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            new = deepcopy(node)
            new.ops = [_COMPARISONS[type(operator)]()]
            yield new, f"{ast.unparse(node)} → {ast.unparse(new)}"
        case ast.BoolOp(op=operator):
            both = deepcopy(node)
            both.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield both, f"{ast.unparse(node)} → {ast.unparse(both)}"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand, f"{ast.unparse(node)} → {ast.unparse(operand)}"
        case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC and not _is_a_type(node):
            sum_ = deepcopy(node)
            sum_.op = _ARITHMETIC[type(operator)]()
            yield sum_, f"{ast.unparse(node)} → {ast.unparse(sum_)}"
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value), f"{value} → {not value}"
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            yield ast.Constant(value + 1), f"{value} → {value + 1}"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass(), f"without {ast.unparse(node)}"
        case ast.Raise():
            yield ast.Pass(), f"without {ast.unparse(node)[:80]}"
        case ast.If(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            opposite = deepcopy(node)
            opposite.test = ast.UnaryOp(ast.Not(), test)
            yield opposite, f"if {ast.unparse(test)[:80]} → if not …"


def _is_a_type(node: ast.BinOp) -> bool:
    """`X | None`: an annotation, or an alias of types."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return isinstance(node.op, ast.BitOr) and all(name.lstrip("_")[:1].isupper() or name in _TYPES for name in names)


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list):
                for at, one in enumerate(value):
                    if one is old:
                        value[at] = new
                        return


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant wherever the product imports the file."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = "valetkey." + mutant.file.removesuffix(".py").replace("/", ".")
        self._code = compile(mutant.source, mutant.file, "exec")

    def find_spec(
        self, fullname: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def is_found(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Whether the tests fail on it."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        status = 1  # what cannot even be imported was found
        try:
            sys.meta_path.insert(0, _Mutated(mutant))
            import pytest

            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
                status = pytest.main(
                    [
                        "-x",
                        "-q",
                        "-W",
                        _QUIET,
                        "-p",
                        "no:cacheprovider",
                        "-m",
                        "not long and not real",
                        "-k",
                        "not postgresql",
                        *tests,
                    ]
                )
        finally:
            os._exit(min(int(status), 250))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main(arguments: Sequence[str]) -> int:
    words = [one for one in arguments if one != "mutate"]
    most = int(words.pop(words.index("--most") + 1)) if "--most" in words else 10_000
    words = [one for one in words if one != "--most"]
    for name in FOREIGN:
        importlib.import_module(name)
    chosen = {file: tests for file, tests in TARGETS.items() if not words or any(word in file for word in words)}
    rates = []
    for file, names in chosen.items():
        tests = [str(path) for name in names if (path := HERE / "tests" / name).exists()]
        if is_found(Mutant(file, 0, "", (HERE / "src/valetkey" / file).read_text()), tests):
            print(f"{file}: its tests fail as it is, so they would find anything")
            return 1
        every = list(mutants(file))
        sample = sorted(random.Random(51).sample(every, min(most, len(every))), key=lambda one: one.line)
        survivors = [one for one in sample if not is_found(one, tests)]
        rate = 1 - len(survivors) / len(sample)
        rates.append(rate)
        print(f"{file:<26} {len(sample) - len(survivors):>4} of {len(sample):>4} found ({len(every)} there are)  "
              f"{rate:6.1%}", flush=True)  # fmt: skip
        for one in survivors:
            print(f"    {one.file}:{one.line}  {one.change}", flush=True)
    return 0 if all(rate >= BAR for rate in rates) else 1


if __name__ == "__main__":
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=True)
    sys.exit(main(sys.argv[1:]))
