"""The documentation says what there is: hooks, options, commands, links and examples are held to the code."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
import shlex
import tomllib
from argparse import SUPPRESS, ArgumentParser
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from stoker import cli
from stoker.engine import hookspecs
from stoker.engine.backend import Backend
from stoker.engine.data import DatasetReader
from stoker.engine.options.parser import own_actions, sub_parsers
from stoker.engine.options.settings import PREFIX
from stoker.engine.plugin import hooks
from stoker.engine.plugin.discovery import import_file
from stoker.engine.plugin.plugins import Plugins

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
AZUREML = ROOT / "docs/azureml.md"
CONTRACT = ROOT / "docs/contract.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
PROGRAMS = (("stoker",), ("python", "cli.py"), ("python", "-m", "stoker"))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)", re.S)


def blocks(language: str) -> list[Any]:
    """The code blocks of a language on all pages, each with a name for its place."""
    found = []
    for page in PAGES:
        texts = [match[2] for match in _BLOCK.finditer(page.read_text()) if match[1] == language]
        found += [pytest.param(text, id=f"{page.name}-{number}") for number, text in enumerate(texts, 1)]
    return found


def commands() -> list[Any]:
    """Each command line of stoker in a block, as its words after the program's name."""
    found = []
    for block in blocks("console"):
        for line in block.values[0].splitlines():
            words = shlex.split(line)
            for program in PROGRAMS:
                if tuple(words[: len(program)]) == program:
                    found.append(pytest.param(words[len(program) :], id=line))
    return found


@cache
def parser(*plugins: str) -> ArgumentParser:
    """The parser of the whole command line, with these plugins loaded."""
    made: ArgumentParser = cli.Parsers(Plugins.load([str(ROOT / name) for name in plugins]))()
    return made


def below(parent: ArgumentParser) -> dict[str, ArgumentParser]:
    """The sub-commands of a parser that are for people."""
    found = sub_parsers(parent)
    return {name: child for name, child in found.choices.items() if child.description} if found else {}


def table(page: Path) -> dict[str, list[str]]:
    """The rows of all tables on a page: {first cell: the others}, without backticks."""
    rows = {}
    for line in page.read_text().splitlines():
        if line.startswith("| "):
            first, *rest = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            rows[first.strip("`").replace(r"\|", "|")] = [cell.strip("`") for cell in rest]
    return rows


@pytest.mark.parametrize("name", hooks.NAMES)
def test_each_hook_is_documented_with_its_signature(name: str):
    signature = str(inspect.signature(getattr(hookspecs, name))).replace("'", "")
    assert f"def {name}{signature}: ...\n" in CONTRACT.read_text()


def test_the_table_of_hooks_has_each_and_leads_to_its_words():
    rows = [row for row in table(ROOT / "docs/plugins.md") if "stoker_" in row]
    assert sorted(rows) == sorted(f"[`{name}`](contract.md#{name})" for name in hooks.NAMES)


def test_the_page_of_the_contract_is_what_the_docstrings_say():
    generator: Any = import_file(ROOT / "docs/make_contract.py")
    assert CONTRACT.read_text() == generator.page(), "write it again with `make docs`"


@pytest.mark.parametrize("protocol", [Backend, DatasetReader])
def test_each_promise_and_method_of_a_protocol_is_on_the_page_of_the_contract(protocol: type):
    page = CONTRACT.read_text()
    lines = inspect.getdoc(protocol).splitlines()  # type: ignore[union-attr]
    assert [line for line in lines if re.match(r"\d+\. ", line) and line not in page] == []
    methods = [name for name, each in vars(protocol).items() if inspect.isfunction(each) and not name.startswith("_")]
    assert [name for name in methods if f"#### `{protocol.__name__}.{name}`\n" not in page] == []
    assert [name for name in protocol.__annotations__ if f"- `{name}`: " not in page] == []


def options_of_train() -> list[Any]:
    train = below(parser())["train"]
    return [action for action in own_actions(train) if action.option_strings and action.default is not SUPPRESS]


@pytest.mark.parametrize("action", [pytest.param(each, id=each.dest) for each in options_of_train()])
def test_each_option_of_train_is_on_its_page_with_its_default(action: Any):
    value = f"{{{','.join(action.choices)}}}" if action.choices else action.metavar
    shown = " ".join(filter(None, [action.option_strings[-1], value]))
    default = table(AZUREML if action.dest.startswith("azureml_") else README)[shown][0]
    if action.default in {None, ""}:
        assert default
    elif action.default is False:
        assert default == "off"
    else:
        assert default == str(action.default)


def test_no_page_has_an_option_that_does_not_exist():
    known = {option for action in options_of_train() for option in action.option_strings}
    rows = {**table(README), **table(AZUREML)}
    assert {row.split()[0] for row in rows if re.match("--[a-z]", row)} == known


def test_each_command_and_subcommand_is_mentioned():
    text = "\n".join(page.read_text() for page in PAGES)
    every = below(parser())
    names = [*every, *(f"{name} {action}" for name, command in every.items() for action in below(command))]
    assert "runs attach" in names
    assert [name for name in names if not re.search(rf"\bstoker {name}\b", text)] == []


@pytest.mark.parametrize("words", commands())
def test_each_command_line_is_one_that_stoker_takes(words: list[str]):
    plugins = [after for word, after in itertools.pairwise(words) if word == "-p"]
    assert all(name.startswith("no:") or (ROOT / name).is_file() for name in plugins)
    with contextlib.suppress(SystemExit):  # --help ends so; what is wrong is another error
        parser(*(name for name in plugins if not name.startswith("no:"))).parse_args(words)


@pytest.mark.parametrize("text", blocks("python"))
def test_each_python_block_compiles(text: str):
    compile(text, "block", "exec", dont_inherit=True)


@pytest.mark.parametrize("text", [block for block in blocks("python") if "@hookimpl" in block.values[0]])
def test_each_plugin_in_the_docs_loads_without_a_problem(text: str, tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    plugins = Plugins.load([str(path)])
    cli.Parsers(plugins)()
    assert (plugins.broken(), plugins.records[-1].name) == ([], "mine")
    assert plugins.records[-1].hooks


@pytest.mark.parametrize("text", blocks("toml"))
def test_each_settings_block_is_toml(text: str):
    assert tomllib.loads(text)


def test_each_variable_of_the_environment_is_that_of_an_option():
    known = {f"{PREFIX}{action.dest}".upper() for action in (*options_of_train(), *own_actions(parser()))}
    known.add("STOKER_CACHE_DIR")
    mentioned = {name for page in PAGES for name in re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]", page.read_text())}
    assert mentioned
    assert mentioned - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_relative_link_leads_somewhere(page: Path):
    for link in _LINK.findall(_BLOCK.sub("", page.read_text())):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_each_page_is_linked_from_the_readme(page: Path):
    assert f"docs/{page.name}" in README.read_text()


def test_the_picture_needs_nothing_from_elsewhere():
    picture = (ROOT / "docs/terminal.svg").read_text()
    assert re.findall(r"url\((?!#|\"#)|href=|@import|<script", picture) == []
    assert re.search("[\u2801-\u28ff]", picture), "the curves are missing"


def test_each_figure_of_speed_in_the_readme_was_measured():
    (section,) = re.findall(r"^## How fast\n(.*?)^## ", README.read_text(), re.M | re.S)
    table = (ROOT / "benchmarks" / "results" / "table.md").read_text()
    figures = re.findall(r"\d[\d.]*(?:×| MB| s\b)", section)
    assert len(figures) > 10
    assert [figure for figure in figures if figure not in table] == []
