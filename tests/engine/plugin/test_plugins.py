"""Plugins are found where they are; a bad one is named with its version and hook and breaks no other plugin."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import main
from stoker.engine.backend import BackendChoice
from stoker.engine.errors import InputError, PluginError, UnknownNameError
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.options.parser import Parser, option_strings
from stoker.engine.plugin.discovery import BUILT_IN, import_file
from stoker.engine.plugin.hooks import NAMES
from stoker.engine.plugin.plugins import Plugins

from ... import plugin_files
from ...plugin_files import Install, every_hook, hook
from ...stoker_process import stoker


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with a plugin for the time of the test; the plugin's name, which no other test's has."""
    return plugin_files.installer(tmp_path, monkeypatch)


def problems(plugins: Plugins, name: str) -> list[str]:
    (record,) = [record for record in plugins.records if record.name == name]
    return [problem.what for problem in record.problems]


def listed(capsys: pytest.CaptureFixture[str], name: str) -> Any:
    """What `stoker plugins --json` has about a plugin."""
    capsys.readouterr()
    assert main(["plugins", "--json"]) == 0
    (found,) = [plugin for plugin in json.loads(capsys.readouterr().out) if plugin["name"] == name]
    return found


def complaints(capsys: pytest.CaptureFixture[str], name: str) -> list[str]:
    """What `stoker plugins --json` says is wrong with a plugin, which must then be broken."""
    found = listed(capsys, name)
    assert found["state"] == "broken"
    assert all(problem["remedy"] for problem in found["problems"])
    return [problem["problem"] for problem in found["problems"]]


def names(plugins: Plugins) -> list[str]:
    return [record.name for record in plugins.records if not record.left_out]


def test_built_ins_come_through_the_same_door_as_anybodys():
    plugins = Plugins.load()
    assert len(plugins.records) == len(BUILT_IN)
    assert {record.origin for record in plugins.records} == {"built-in"}
    assert all(record.hooks and not record.problems for record in plugins.records)
    assert plugins.backends().keys() >= {"local"}
    assert plugins.models().keys() >= {"dnn"}
    assert plugins.datasets().keys() >= {"mnist", "folder"}
    assert plugins.commands().keys() >= {"train", "runs", "config", "plugins", "models", "completion"}


def test_a_built_in_whose_folder_was_left_behind_offers_nothing_and_can_still_be_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("stoker.engine.plugin.discovery.BUILT_IN", (*BUILT_IN, "stoker.plugins.at_home.plugin"))
    plugins = Plugins.load()
    assert (names(plugins)[-1], problems(plugins, "at_home")) == ("at_home", [])
    assert names(Plugins.load(["no:at_home"])) == names(plugins)[:-1]
    assert capsys.readouterr().err == ""


def test_a_built_in_that_needs_a_package_which_is_missing_is_broken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stoker.engine.plugin.discovery.BUILT_IN", ("stoker.plugins.local.nowhere",))
    assert problems(Plugins.load(), "nowhere") == [
        "import: ModuleNotFoundError: No module named 'stoker.plugins.local.nowhere'"
    ]


def test_an_installed_package_is_found_by_its_entry_point_with_its_version(
    install: Install, capsys: pytest.CaptureFixture[str]
):
    name = install(hook("stoker_models", "return {'wide': 'very'}"), hook("stoker_get_model", "return None"))
    (record,) = [record for record in Plugins.load().records if record.name == name]
    assert (record.origin, record.version, record.hooks) == (
        f"{name}-package", "1.2", ("stoker_get_model", "stoker_models"),
    )  # fmt: skip
    found = listed(capsys, name)
    assert (found["from"], found["version"], found["state"]) == (f"{name}-package", "1.2", "ok")
    assert found["offers"] == {"model": ["wide"]}


def test_an_entry_point_may_lead_to_an_object_in_a_module(install: Install):
    source = "class Offers:\n    @hookimpl\n    def stoker_models(self): return {'wide': 'very'}\noffers = Offers()\n"
    install(source, value="{}:offers")
    assert Plugins.load().models()["wide"] == "very"


@pytest.mark.parametrize("file", ["./mine.py", "mine.py", "a b; c/mine.py", "größe/mine.py", "it's\n/mine.py"])
def test_a_file_is_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    plugin_files.write(tmp_path / file, hook("stoker_models", "return {'wide': 'very'}"))
    plugins = Plugins.load([file])
    assert plugins.models()["wide"] == "very"
    assert (plugins.records[-1].name, plugins.records[-1].origin) == ("mine", f"-p {file}")


def test_files_of_one_name_in_two_folders_are_two_plugins(tmp_path: Path):
    for model in ("one", "two"):
        (tmp_path / model).mkdir()
        plugin_files.write(tmp_path / model / "mine.py", hook("stoker_models", f"return {{'{model}': 'very'}}"))
    plugins = Plugins.load([str(tmp_path / model / "mine.py") for model in ("one", "two")])
    assert plugins.models().keys() >= {"one", "two"}


def test_a_module_is_a_plugin(install: Install):
    name = install(hook("stoker_models", "return {'wide': 'very'}"))
    plugins = Plugins.load([name])
    assert names(plugins).count(name) == 1, "it has an entry point too, and is still one plugin"
    assert plugins.models()["wide"] == "very"


def test_a_plugin_that_is_asked_for_twice_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    path = plugin_files.write(tmp_path / "mine.py", hook("stoker_callbacks", "return ['one']"))
    plugins = Plugins.load(["mine.py", "./mine.py"])
    plugins.add_requested([str(path)])
    assert plugins.callbacks(TrainJob(), tmp_path) == ["one"]


@pytest.mark.parametrize("name", ["local", "dnn", "datasets", "config"])
def test_a_plugin_can_be_left_out(name: str):
    assert name not in names(Plugins.load([f"no:{name}"]))
    plugins = Plugins.load([f"no:{name}"])
    assert len(names(plugins)) == len(BUILT_IN) - 1
    (record,) = [record for record in plugins.records if record.state == "left out"]
    assert (record.name, record.hooks, record.offers) == (name, (), {})


def test_an_installed_plugin_that_is_left_out_is_not_even_imported(install: Install, tmp_path: Path):
    name = install("import pathlib; pathlib.Path('imported').touch()\n")
    Plugins.load([f"no:{name}"])
    assert not (tmp_path / "imported").exists()


def test_a_name_to_leave_out_that_does_not_exist_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(UnknownNameError) as caught:
        Plugins.load(["no:lcal"])
    assert caught.value.hint == "did you mean 'local'?"
    assert main(["-p", "no:lcal", "runs", "list"]) == 2
    assert "unknown plugin to leave out: 'lcal'" in capsys.readouterr().err


def test_the_training_process_leaves_out_what_the_job_leaves_out(install: Install, tmp_path: Path):
    name = install(hook("stoker_callbacks", "return ['unwanted']"))
    plugins = Plugins.load()
    plugins.add_requested([f"no:{name}", "no:installed-elsewhere-only"])
    assert plugins.callbacks(TrainJob(), tmp_path) == []
    assert name not in names(plugins)


@pytest.mark.parametrize(
    ("name", "received", "hint"),
    [
        ("nosuch", "No module named 'nosuch'", "for a file, say -p ./nosuch.py"),
        ("no/such.py", "no such file", "check the path"),
        ("broken.py", "SyntaxError", "fix the plugin"),
        ("raises.py", "ValueError: boom", "fix the plugin"),
        ("exits.py", "SystemExit: 3", "fix the plugin"),
        ("needs.py", "No module named 'raytracer'", "install the package that has 'raytracer'"),
    ],
)
def test_a_plugin_that_was_asked_for_and_can_not_be_loaded_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, received: str, hint: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "raises.py").write_text("raise ValueError('boom')")
    (tmp_path / "exits.py").write_text("import sys; sys.exit(3)")
    (tmp_path / "needs.py").write_text("import raytracer.scene")
    with pytest.raises(PluginError, match=f"can't load the plugin {name}") as caught:
        Plugins.load([name])
    assert received in caught.value.received
    assert hint in caught.value.hint


def test_an_interrupt_while_plugins_are_loaded_is_an_interrupt(tmp_path: Path):
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins.load([str(tmp_path / "slow.py")])


def test_a_file_that_fails_leaves_no_module_behind(tmp_path: Path):
    path = tmp_path / "flaky.py"
    path.write_text(
        "from pathlib import Path\nif not Path(__file__).with_name('ok').exists(): raise ValueError('boom')"
    )
    with pytest.raises(ValueError, match="boom"):
        import_file(path)
    assert not [name for name in sys.modules if name.startswith("stoker_file_flaky_")]
    (tmp_path / "ok").touch()
    assert import_file(path).__name__.startswith("stoker_file_flaky_")
    with pytest.raises(InputError, match="no such file"):
        import_file(tmp_path / "nosuch.py")


def test_a_file_finds_the_modules_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside_the_file.py").write_text("WIDTH = 4")
    (tmp_path / "json.py").write_text("raise ValueError('the installed one wins')")
    (tmp_path / "mine.py").write_text("import json\nfrom beside_the_file import WIDTH")
    assert import_file(tmp_path / "mine.py").WIDTH == 4


def test_an_import_relative_to_a_package_is_refused_with_what_to_write(tmp_path: Path):
    before = list(sys.path)
    (tmp_path / "parts.py").write_text("WIDTH = 4")
    (tmp_path / "mine.py").write_text("from .parts import WIDTH")
    with pytest.raises(InputError, match="imports relative to a package") as caught:
        import_file(tmp_path / "mine.py")
    assert "leave out the dot" in caught.value.hint
    assert sys.path == before


def test_two_files_never_share_a_module_that_each_has_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "shared_by_name.py").write_text(f"NAME = {name!r}")
        (folder / "mine.py").write_text("import shared_by_name\nNAME = shared_by_name.NAME")
        (folder / "other.py").write_text("import json")
    assert import_file(tmp_path / "one" / "mine.py").NAME == "one"
    with pytest.raises(InputError, match="another module of that name") as caught:
        import_file(tmp_path / "two" / "mine.py")
    assert caught.value.received == str(tmp_path / "one" / "shared_by_name.py")
    import_file(tmp_path / "two" / "other.py")
    assert import_file(tmp_path / "one" / "mine.py").NAME == "one"


# --- bad plugins: kinds by hooks ------------------------------------------------------------------------------------

IN_A_HOOK = {
    "raises": ("raise ValueError('boom')", "ValueError: boom"),
    "raises without a message": ("raise ValueError", "ValueError"),
    "raises over several lines": ("raise ValueError('boom\\n  at\\n  sea')", "ValueError: boom at sea"),
    "raises an error of ours": (
        "from stoker.engine.errors import PluginError; raise PluginError('no ray', hint='pip install ray')",
        "no ray",
    ),
    "lacks a package": ("import raytracer", "ModuleNotFoundError: No module named 'raytracer'"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "raises a BaseException": ("raise BaseException('boom')", "BaseException: boom"),
    "recurses": ("recurse = lambda: recurse(); recurse()", "RecursionError"),
}
CURES = {
    "raises an error of ours": "; pip install ray",
    "lacks a package": "; install the package that has 'raytracer'",
}
"""What the warning says beside the reason, where the error gives it."""
ANSWERS = {
    "stoker_commands": ("return ['train']", "Command expected, not str"),
    "stoker_backends": ("return ['echo']", "Mapping expected, not list"),
    "stoker_datasets": ("return 'echo'", "Mapping expected, not str"),
    "stoker_models": ("yield 'echo'", "Mapping expected, not generator"),
    "stoker_configure_job": ("return job.to_json()", "TrainJob expected, not dict"),
    "stoker_callbacks": ("return 3", "not iterable"),
}
GOOD = "".join(
    hook(name, body)
    for name, body in {
        "stoker_backends": "return {'good': 'a good one'}",
        "stoker_get_backend": "return 'backend' if name == 'good' else None",
        "stoker_datasets": "return {'good': 'a good one'}",
        "stoker_get_dataset": "return 'data set' if name == 'good' else None",
        "stoker_models": "return {'good': 'a good one'}",
        "stoker_get_model": "return 'model' if name == 'good' else None",
        "stoker_add_options": "parser.add_argument('--good-option')",
        "stoker_configure_job": "from dataclasses import replace; return replace(job, seed=job.seed + 1)",
        "stoker_callbacks": "return ['callback']",
        "stoker_run_event": "event.data['seen'] = True",
        "stoker_export_model": "return 'good'",
        "stoker_register_model": "return {'good': name}",
    }.items()
)


def check_that_good_plugins_work(plugins: Plugins, tmp_path: Path, *, only: str = "") -> None:
    """Everything that a good plugin and the built-ins offer is there; with `only`, asks just that hook."""
    checks: dict[str, Callable[[], bool]] = {
        "stoker_commands": lambda: {"train", "runs"} <= plugins.commands().keys(),
        "stoker_backends": lambda: {"good", "local"} <= plugins.backends().keys(),
        "stoker_datasets": lambda: {"good", "mnist"} <= plugins.datasets().keys(),
        "stoker_models": lambda: {"good", "dnn"} <= plugins.models().keys(),
        "stoker_add_options": lambda: "--good-option" in options_of(plugins),
        "stoker_get_backend": lambda: plugins.get_backend(BackendChoice(name="good")) == "backend" and local(plugins),
        "stoker_get_dataset": lambda: plugins.get_dataset("good") == "data set" and bool(plugins.get_dataset("mnist")),
        "stoker_get_model": lambda: plugins.get_model("good") == "model" and callable(plugins.get_model("dnn")),
        "stoker_configure_job": lambda: plugins.configure(TrainJob(seed=4)).seed == 5,
        "stoker_callbacks": lambda: plugins.callbacks(TrainJob(), tmp_path) == ["callback"],
        "stoker_run_event": lambda: notified(plugins),
        "stoker_export_model": lambda: "good" in plugins.export_model("a model", tmp_path),
        "stoker_register_model": lambda: plugins.register_model(tmp_path, "x", {}) == [{"good": "x"}],
    }  # fmt: skip
    assert checks.keys() == set(NAMES)
    for name in [only] if only else checks:
        assert checks[name](), name


def local(plugins: Plugins) -> bool:
    return type(plugins.get_backend(BackendChoice(name="local"))).__name__ == "LocalBackend"


def options_of(plugins: Plugins) -> list[str]:
    parser = Parser(prog="x")
    plugins.add_options(parser, "train")
    return option_strings(parser)


def notified(plugins: Plugins) -> bool:
    event = RunEvent(kind=EventKind.FINISHED, run_id="x")
    plugins.notify(event, TrainJob(), Path())
    return bool(event.data.get("seen"))


OURS = {"stoker_get_backend", "stoker_get_dataset", "stoker_get_model", "stoker_configure_job"}
"""Hooks whose errors of ours are the answer: something is wrong with what the user asked for."""


@pytest.mark.parametrize("kind", IN_A_HOOK)
@pytest.mark.parametrize("name", NAMES)
def test_a_hook_that_fails_is_named_and_the_others_of_its_kind_answer(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
):
    body, reason = IN_A_HOOK[kind]
    install(GOOD, name="good")
    bad = install(hook(name, body), name="zz_bad")
    plugins = Plugins.load()
    assert main(["runs", "list"]) == 0
    if name in OURS and "ours" in kind:
        with pytest.raises(PluginError, match="no ray"):
            check_that_good_plugins_work(plugins, tmp_path, only=name)
        return
    capsys.readouterr()
    check_that_good_plugins_work(plugins, tmp_path)
    (problem,) = problems(plugins, bad)
    assert problem.startswith(f"{name}: {reason}")
    assert capsys.readouterr().err == f"warning: plugin {bad} 1.2: {problem}{CURES.get(kind, '')}\n"
    if name in {"stoker_commands", "stoker_add_options", "stoker_backends", "stoker_datasets", "stoker_models"}:
        assert any(line.startswith(f"{name}: {reason}") for line in complaints(capsys, bad))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_hook_that_answers_what_it_may_not_is_named_and_the_others_of_its_kind_answer(
    install: Install, tmp_path: Path, name: str
):
    body, reason = ANSWERS[name]
    install(GOOD, name="good")
    bad = install(hook(name, body), name="zz_bad")
    plugins = Plugins.load()
    check_that_good_plugins_work(plugins, tmp_path)
    (problem,) = problems(plugins, bad)
    assert problem.startswith(f"{name}: TypeError: ")
    assert reason in problem


@pytest.mark.parametrize("name", NAMES)
def test_what_a_hook_prints_goes_to_stderr(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    install(GOOD, name="good")
    install("print('at import')\n", hook(name, "print('chatter')"), name="zz_bad")
    check_that_good_plugins_work(Plugins.load(), tmp_path)
    output = capsys.readouterr()
    assert "chatter" in output.err
    assert output.out == ""
    assert main(["plugins", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", NAMES)
def test_a_hook_with_an_argument_that_does_not_exist_is_named(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    install(GOOD, name="good")
    bad = install(every_hook("return None").replace(f"def {name}(", f"def {name}(nonsense, "), name="zz_bad")
    plugins = Plugins.load()
    check_that_good_plugins_work(plugins, tmp_path)
    (problem,) = problems(plugins, bad)
    assert problem == f"import: {name} has a parameter that the hook lacks: nonsense"
    assert "nonsense" in complaints(capsys, bad)[0]


AT_IMPORT = {
    "raises": ("raise ValueError('boom')", "", "import: ValueError: boom"),
    "exits": ("import sys; sys.exit('bye')", "", "import: SystemExit: bye"),
    "raises a BaseException": ("raise BaseException('boom')", "", "import: BaseException: boom"),
    "is no Python": ("def (", "", "import: SyntaxError: "),
    "lacks a package": ("import raytracer", "", "import: ModuleNotFoundError: No module named 'raytracer'"),
    "is not there": ("", "nosuch_module", "import: ModuleNotFoundError: No module named 'nosuch_module'"),
    "lacks what its entry point names": ("", "{}:nosuch", "import: AttributeError: "),
    "has an entry point that makes no sense": ("", "3 !! x", "import: AttributeError: "),
    "has a hook that does not exist": (
        hook("stoker_datsets", "return {}"),
        "",
        "unknown hook: 'stoker_datsets'",
    ),
    "has a hook without its mark": (
        "def stoker_models(): return {}",
        "",
        "stoker_models is not called: it lacks @hookimpl",
    ),
    "wraps a hook": (
        "@hookimpl(wrapper=True)\ndef stoker_models():\n    return (yield)\n",
        "",
        "import: it wraps a hook, which stoker does not allow",
    ),
}


@pytest.mark.parametrize("kind", AT_IMPORT)
def test_a_plugin_that_is_bad_from_the_start_is_listed_and_breaks_nothing(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
):
    source, value, reason = AT_IMPORT[kind]
    install(GOOD, name="good")
    bad = install(source, name="zz_bad", value=value)
    plugins = Plugins.load()
    assert problems(plugins, bad)[0].startswith(reason)
    check_that_good_plugins_work(plugins, tmp_path)
    assert main(["runs", "list"]) == 0
    assert complaints(capsys, bad)[0].startswith(reason)


def test_a_package_whose_list_of_entry_points_is_damaged_hides_no_other(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    good, bad = install(GOOD, name="good"), install()
    (tmp_path / "site" / f"{bad}_package-1.2.dist-info" / "entry_points.txt").write_text("[stoker]\nnot an entry\n")
    assert main(["runs", "list"]) == 0
    assert complaints(capsys, f"{bad}-package")[0].startswith("import: its list of entry points is damaged")
    assert listed(capsys, good)["state"] == "ok"
    check_that_good_plugins_work(Plugins.load(), tmp_path)


def test_a_package_without_a_name_or_version_is_still_listed(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bad = install(hook("stoker_models", "raise ValueError('boom')"))
    (tmp_path / "site" / f"{bad}_package-1.2.dist-info" / "METADATA").write_text("")
    assert complaints(capsys, bad) == ["stoker_models: ValueError: boom"]
    assert (listed(capsys, bad)["from"], listed(capsys, bad)["version"]) == ("unknown package", "")


BAD_PARTS = {
    "a wrong signature": hook("stoker_datasets", "return {}", arguments="nonsense"),
    "a wrapper": "@hookimpl(wrapper=True)\ndef stoker_datasets():\n    return (yield)\n",
    "an error": "raise ValueError\n",
}


@pytest.mark.parametrize("part", BAD_PARTS)
def test_a_plugin_that_can_not_be_loaded_whole_is_not_loaded_at_all(install: Install, part: str):
    install(hook("stoker_models", "return {'half': 'x'}"), BAD_PARTS[part])
    assert "half" not in Plugins.load().models()


# --- clashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "asks", "kind", "name", "ask"),
    [
        (
            "stoker_backends",
            "stoker_get_backend",
            "backend",
            "local",
            lambda plugins: plugins.get_backend(BackendChoice(name="local")),
        ),
        ("stoker_datasets", "stoker_get_dataset", "data set", "mnist", lambda plugins: plugins.get_dataset("mnist")),
        ("stoker_models", "stoker_get_model", "model", "dnn", lambda plugins: plugins.get_model("dnn")),
    ],
)
def test_a_name_that_two_plugins_offer_is_refused_with_both_and_the_way_out(
    install: Install, offers: str, asks: str, kind: str, name: str, ask: Callable[[Plugins], Any]
):
    bad = install(hook(offers, f"return {{'{name}': 'x'}}"), hook(asks, f"return 'mine' if name == '{name}' else None"))
    plugins = Plugins.load()
    with pytest.raises(PluginError, match=f"two plugins offer the {kind} '{name}'") as caught:
        ask(plugins)
    assert f"{bad} 1.2" in caught.value.what
    assert caught.value.hint == f"leave one out with -p no:{bad}"
    assert ask(Plugins.load([f"no:{bad}"])) != "mine"
    assert len(problems(plugins, bad)) == 1


def test_a_clash_of_commands_stops_that_command_and_no_other(install: Install, capsys: pytest.CaptureFixture[str]):
    command = "Command(name='config', summary='x', add_options=lambda parser: None, run=lambda options, context: 0)"
    bad = install("from stoker.engine.command import Command\n", hook("stoker_commands", f"return [{command}]"))
    assert main(["runs", "list"]) == 0
    assert main(["config"]) == 2
    assert f"hint: leave one out with -p no:{bad}\n" in capsys.readouterr().err
    assert main(["-p", f"no:{bad}", "config"]) == 0
    assert complaints(capsys, bad)[0].startswith("two plugins offer the command 'config'")


def test_an_option_that_exists_already_is_reported_and_the_command_works(
    install: Install, capsys: pytest.CaptureFixture[str]
):
    bad = install(hook("stoker_add_options", "if command == 'runs': return\nparser.add_argument('--json')"))
    assert main(["plugins", "--json"]) == 0
    output = capsys.readouterr()
    assert f"warning: plugin {bad} 1.2: stoker_add_options: ArgumentError: " in output.err
    assert json.loads(output.out)


def test_a_command_whose_options_are_broken_breaks_no_other(install: Install, capsys: pytest.CaptureFixture[str]):
    command = "Command(name='zebra', summary='x', add_options=lambda parser: 1 / 0, run=lambda options, context: 0)"
    bad = install("from stoker.engine.command import Command\n", hook("stoker_commands", f"return [{command}]"))
    assert main(["completion", "bash"]) == 0
    assert f"warning: plugin {bad} 1.2: options of zebra: ZeroDivisionError" in capsys.readouterr().err


def test_an_option_that_can_not_be_part_of_a_job_is_an_error_that_names_it(
    install: Install, capsys: pytest.CaptureFixture[str]
):
    install(hook("stoker_add_options", "from pathlib import Path\nparser.add_argument('--zebra-stripes', type=Path)"))
    assert main(["train", "--dry-run", "--zebra-stripes", "x"]) == 2
    assert "error: the field 'options.zebra_stripes' of a job has the wrong type" in capsys.readouterr().err


# --- asking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["backend", "dataset", "model"])
def test_an_unknown_name_is_answered_with_the_nearest(kind: str):
    plugins = Plugins.load()
    ask: dict[str, Callable[[], Any]] = {
        "backend": lambda: plugins.get_backend(BackendChoice(name="lokal")),
        "dataset": lambda: plugins.get_dataset("fashon-mnist"),
        "model": lambda: plugins.get_model("dn"),
    }
    near = {"backend": "local", "dataset": "fashion-mnist", "model": "dnn"}
    with pytest.raises(UnknownNameError) as caught:
        ask[kind]()
    assert caught.value.hint == f"did you mean {near[kind]!r}?"


def test_a_name_that_a_broken_plugin_may_have_offered_points_to_it(install: Install):
    bad = install("raise ValueError('boom')")
    with pytest.raises(UnknownNameError) as caught:
        Plugins.load().get_backend(BackendChoice(name="zebra"))
    assert caught.value.hint == f"broken plugins: {bad}; see `stoker plugins`"


def test_the_plugin_that_failed_to_make_what_it_offers_is_the_error(install: Install):
    bad = install(
        hook("stoker_backends", "return {'zebra': 'x'}"),
        hook("stoker_get_backend", "if name == 'zebra': import raytracer"),
    )
    with pytest.raises(PluginError, match=f"the plugin {bad} 1.2 failed to make the backend 'zebra'") as caught:
        Plugins.load().get_backend(BackendChoice(name="zebra"))
    assert caught.value.received == "ModuleNotFoundError: No module named 'raytracer'"
    assert caught.value.hint == "install the package that has 'raytracer'"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_an_interrupt_in_a_hook_is_an_interrupt(install: Install):
    install(every_hook("raise KeyboardInterrupt"))
    plugins = Plugins.load()
    for ask in (plugins.models, lambda: plugins.get_model("x"), lambda: plugins.configure(TrainJob())):
        with pytest.raises(KeyboardInterrupt):
            ask()


def test_a_broken_installed_plugin_is_a_warning_in_a_process_of_its_own(tmp_path: Path):
    plugin_files.install(tmp_path / "site packages", "broken", "0.9", "raise ValueError('boom')")
    done = stoker("runs", "list", "--json", cwd=tmp_path, PYTHONPATH=str(tmp_path / "site packages"))
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert done.stderr == "warning: plugin broken 0.9: import: ValueError: boom\n"
