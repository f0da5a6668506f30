"""A plugin says which version of the contract it was written for; of another one, it is refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker.cli import main
from stoker.engine import VERSION, hookspecs
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.plugin.record import PluginRecord, Problem

from ... import plugin_files
from ...plugin_files import Install, hook

OFFERS = hook("stoker_models", "return {'wide': 'very'}")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with a plugin for the time of the test."""
    return plugin_files.installer(tmp_path, monkeypatch)


def loaded(name: str) -> PluginRecord:
    """What is known about a plugin when all are loaded."""
    (found,) = [each for each in Plugins.load().records if each.name == name]
    return found


def test_a_plugin_of_this_contract_is_taken(install: Install):
    found = loaded(install(f"stoker_contract = {hookspecs.CONTRACT}\n", OFFERS))
    assert (found.state, found.contract) == ("ok", hookspecs.CONTRACT)


def test_an_object_may_say_its_contract_too(install: Install):
    source = "class Offers:\n    stoker_contract = 1\n    @hookimpl\n    def stoker_models(self): return {}\n"
    assert loaded(install(source, "offers = Offers()\n", value="{}:offers")).contract == 1


def test_a_plugin_that_says_no_contract_is_taken_as_it_is(install: Install):
    found = loaded(install(OFFERS))
    assert (found.state, found.contract) == ("ok", None)


OTHERS = {
    "newer": (
        "2",
        f"it was written for version 2 of the plugin contract, and stoker {VERSION} has version 1",
        "upgrade stoker",
    ),
    "older": (
        "0",
        f"it was written for version 0 of the plugin contract, and stoker {VERSION} has version 1",
        "upgrade it; its author finds what version 1 asks for in docs/contract.md",
    ),
    "no number": (
        "'1.0'",
        "its stoker_contract is not a whole number (received: '1.0')",
        "its author has to say stoker_contract = 1, or which version it was written for",
    ),
    "true": (
        "True",
        "its stoker_contract is not a whole number (received: True)",
        "its author has to say stoker_contract = 1, or which version it was written for",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_an_installed_plugin_of_another_contract_is_broken_and_breaks_no_command(
    install: Install, capsys: pytest.CaptureFixture[str], kind: str
):
    said, what, cure = OTHERS[kind]
    bad = install(f"stoker_contract = {said}\n", OFFERS)
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().err == f"warning: plugin {bad} 1.2: import: {what}; {cure}\n"
    found = loaded(bad)
    assert (found.state, found.hooks) == ("broken", ())
    assert found.problems == [Problem(f"import: {what}", cure)]
    assert "wide" not in Plugins.load().models()


@pytest.mark.parametrize("kind", OTHERS)
def test_a_plugin_of_another_contract_that_was_asked_for_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
):
    monkeypatch.chdir(tmp_path)
    said, what, cure = OTHERS[kind]
    plugin_files.write(tmp_path / "other.py", f"stoker_contract = {said}\n", OFFERS)
    assert main(["-p", "./other.py", "runs", "list"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: can't load the plugin ./other.py\n  received: {what}\nhint: {cure}\n"


def test_an_older_plugin_is_refused_when_the_contract_has_grown(install: Install, monkeypatch: pytest.MonkeyPatch):
    bad = install("stoker_contract = 1\n", OFFERS)
    monkeypatch.setattr(hookspecs, "CONTRACT", 2)
    found = loaded(bad)
    assert (found.state, found.contract) == ("broken", 1)
    assert found.problems[0].remedy == "upgrade it; its author finds what version 2 asks for in docs/contract.md"
