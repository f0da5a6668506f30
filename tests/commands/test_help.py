"""Every help text describes all that it lists, in one style."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker import cli
from stoker.engine.options.parser import called, own_actions, sub_parsers
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.training.environment import COMPARED, PACKAGES

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PLUGINS = [str(EXAMPLES / name) for name in ("early_stopping.py", "notify.py", "own_dataset.py")]


def _walk(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields a parser and all below it."""
    yield parser
    below = sub_parsers(parser)
    for child in below.choices.values() if below else ():
        yield from _walk(child)


PARSERS = {parser.prog: parser for parser in _walk(cli.Parsers(Plugins.load(PLUGINS))())}
"""The parser of each command line, by what stands in front of its options: "stoker runs show"."""


def described(text: str) -> str:
    """A help text without what it says of the default."""
    return re.sub(r"\(default: .*?\)", "", text).strip()


def test_the_parsers_of_all_commands_are_found():
    """Guards the tests below: they would pass for no parsers."""
    assert {"stoker", "stoker train", "stoker exec", "stoker runs fetch", "stoker azureml emulator"} <= PARSERS.keys()
    assert "--early-stopping-patience" in [called(action) for action in own_actions(PARSERS["stoker train"])]


@pytest.mark.parametrize("name", PARSERS)
def test_every_option_and_argument_has_a_description_without_a_final_period(name: str):
    actions = [action for action in own_actions(PARSERS[name]) if action is not sub_parsers(PARSERS[name])]
    assert [called(action) for action in actions if not described(action.help or "")] == []
    assert [action.help for action in actions if str(action.help).endswith(".")] == []


@pytest.mark.parametrize("name", sorted(PARSERS.keys() - {"stoker exec"}))
def test_every_summary_begins_in_lower_case_and_has_neither_a_semicolon_nor_a_final_period(name: str):
    summary = PARSERS[name].description or ""
    assert re.fullmatch(r"[a-z][^;]*[^.;]", summary), summary


@pytest.mark.parametrize("name", PARSERS)
def test_a_list_of_commands_has_the_summary_that_the_help_of_each_begins_with(name: str):
    text = " ".join(PARSERS[name].format_help().split())
    below = sub_parsers(PARSERS[name])
    summaries = [child.description for child in below.choices.values() if child.description] if below else []
    assert [summary for summary in summaries if summary not in text] == []


def test_the_help_of_azureml_says_all_that_its_actions_do():
    summary = PARSERS["stoker azureml"].description or ""
    assert [word for word in ("check", "clean", "run one here") if word not in summary] == []


def test_the_help_of_allow_drift_names_all_that_a_resume_compares():
    (drift_help,) = [action.help for action in own_actions(PARSERS["stoker train"]) if action.dest == "allow_drift"]
    words = {"versions" if name in PACKAGES else name.replace("_", " ") for name in COMPARED}
    assert [word for word in words if word not in str(drift_help).lower()] == []
