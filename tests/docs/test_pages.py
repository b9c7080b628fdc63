"""Every page of the project: its links lead somewhere, and its commands are commands."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "models/*.md")
    for path in ROOT.glob(pattern)
    if path.parent.name != "build"  # a template with gaps
)
PROGRAMS = {
    "data": "training.data.__main__",
    "train": "training.train",
    "export": "export.__main__",
    "match": "match.__main__",
    "evaluate": "training.evaluation.__main__",
    "curves": "training.evaluation.curves",
    "transcendence": "engine.__main__",
}
_COMMAND = re.compile(r"^(?:[A-Z_]+=(?:\"[^\"]*\"|\S*) )*(bin/\w+|recipes/\S+\.sh|python -m \S+)(?=\s|$)(.*)")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def slug(heading: str) -> str:
    """What GitHub makes of a heading."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", without_blocks(text_of(page)), flags=re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def commands(text: str) -> Iterator[tuple[str, str, bool]]:
    """Program, arguments, and whether the command is whole: one in a block is, one in a sentence may leave out its files."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    blocks = "\n".join(re.findall(r"^```(?:sh|console|text)?\n(.*?)^```", joined, flags=re.MULTILINE | re.DOTALL))
    indented = "\n".join(re.findall(r"^ {4,}(\S.*)$", without_blocks(joined), flags=re.MULTILINE))
    for line in (blocks + "\n" + indented).splitlines():
        for part in re.split(r" && ", line.strip()):
            if found := _COMMAND.match(re.sub(r"\s+#.*| [>|] .*", "", part)):
                yield found[1], found[2], True
    for code in re.findall(r"`([^`]+)`", re.sub(r"\n\s*", " ", without_blocks(joined))):
        if found := _COMMAND.match(re.sub(r" [>|] .*", "", code)):
            yield found[1], found[2], False


def fault(program: str, arguments: str, *, whole: bool) -> str:
    """What is wrong with a command; empty where nothing is."""
    if program.startswith("recipes/"):
        return "" if (ROOT / program).is_file() else "no such recipe"
    name = program.removeprefix("bin/").removeprefix("python -m ")
    if program.startswith("bin/") and name in ("test", "match", "transcendence") and not arguments.strip():
        return ""
    if name == "test":
        return ""
    module = PROGRAMS.get(name, name) if program.startswith("bin/") else name
    spec = importlib.util.find_spec(module)
    if spec is None:
        return "no such module"
    if spec.submodule_search_locations:
        module = f"{module}.__main__"
    loaded = importlib.import_module(module)
    words = [word for word in shlex.split(arguments) if word not in ("…", "...")]
    parse = getattr(loaded, "_arguments", None) or (loaded.parser().parse_args if hasattr(loaded, "parser") else None)
    if parse is None:
        return f"{module} has no parser() that could read this" if words else ""
    if module == "match.__main__" and (not words or words[0].startswith("-")):
        words = ["play", *words]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            parse(words)
    except SystemExit as ended:
        last = said.getvalue().strip().rpartition("\n")[2]
        if ended.code and (whole or not re.search("required|expected (one|at least one) argument", last)):
            return last
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_understood(page: Path) -> None:
    faults = [
        f"{program}{arguments}: {wrong}"
        for program, arguments, whole in commands(text_of(page))
        if (wrong := fault(program, arguments, whole=whole))
    ]
    assert faults == []


def test_commands_are_found_at_all() -> None:
    found = list(commands(text_of(ROOT / "README.md")))
    assert ("bin/match", " rate games.pgn", True) in found
    assert {program for program, _, _ in found} >= {"bin/data", "bin/train", "bin/export", "bin/match", "recipes/smoke.sh"}
    assert fault("bin/match", " play --no-such-option", whole=True)
    assert fault("bin/data", " swallow games.pgn", whole=False)
    assert fault("python -m training.run.mixing", " a b --shares 1 --out c", whole=True)
    assert fault("python -m benchmarks.finishing", " --endings 40", whole=False)
    assert fault("python -m docs.build.options", " --out docs/options.md", whole=True)
    assert fault("recipes/none.sh", "", whole=False)
