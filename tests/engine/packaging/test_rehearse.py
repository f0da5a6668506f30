"""A package runs by itself: in an empty folder, with no more than a node would have."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker.engine.errors import InputError
from stoker.engine.job import TrainJob
from stoker.engine.packaging.explain import explain
from stoker.engine.packaging.rehearse import names_in, rehearse
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit.plan import plan
from stoker.plugins.commands.show_plan import write_plan

from ... import tiny

JOB = {"dataset": "", "batch_size": 20, "epochs": 2}
MODEL = """
import layers
from stoker.models.dnn import build as dnn


def build(config):
    {body}
    return dnn(config)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("data") / "deep down")


def written(folder: Path, data: Path, body: str = "pass", **job: object) -> Path:
    """A plan on the disk, of a job with a model of the user's."""
    (folder / "code").mkdir()
    (folder / "code" / "layers.py").write_text("")
    (folder / "code" / "model.py").write_text(MODEL.format(body=body))
    made = TrainJob(**{**JOB, "data_folder": str(data), "model": f"{folder}/code/model.py:build", **job})  # type: ignore[arg-type]
    write_plan(plan(made, AzureSettings()), folder / "plan")
    return folder / "plan"


def test_the_package_of_a_job_with_code_of_the_users_runs_by_itself(data: Path, tmp_path: Path):
    folder = written(tmp_path, data)
    done = rehearse(folder, data, epochs=1)
    assert done.missing == (), done.log
    assert "epoch 1/1" in done.log
    assert {"outputs/model/model.keras", "outputs/plots/Accuracy vs Loss.png"} <= set(done.outputs)
    assert {"outputs/run/metrics.jsonl", "outputs/run/summary.json"} <= set(done.outputs)
    assert str(tmp_path) not in done.log.replace(str(data), "")


def test_a_module_that_is_nowhere_is_named_with_a_remedy(data: Path, tmp_path: Path):
    done = rehearse(written(tmp_path, data, body="import nowhere_to_be_found"), data)
    ((what, remedy),) = done.missing
    assert what == "the module nowhere_to_be_found"
    assert "put it beside the file that imports it" in remedy


def test_a_module_that_a_rule_kept_here_is_named_with_the_rule():
    left_out = {"/here/parts/_version.py": ".gitignore:1: _version.py", "/here/parts/words.txt": ".gitignore:2: *.txt"}
    ((what, remedy),) = explain("ModuleNotFoundError: No module named 'parts._version'", left_out=left_out)
    assert what == "the module parts._version"
    assert remedy == "/here/parts/_version.py is not sent: .gitignore:1: _version.py; see the plan"


def test_a_module_that_is_installed_here_only_is_missing_there(data: Path, tmp_path: Path):
    body = "import importlib; importlib.import_module('hypothesis')"
    assert [what for what, _ in rehearse(written(tmp_path, data, body=body), data).missing] == ["the module hypothesis"]


def test_a_file_that_stayed_here_is_named(data: Path, tmp_path: Path):
    body = "import pathlib; pathlib.Path(__file__).with_name('words.txt').read_text()"
    ((what, remedy),) = rehearse(written(tmp_path, data, body=body), data).missing
    assert what.endswith("user/1/words.txt")
    assert "put it into a package" in remedy


def test_variables_and_home_of_this_machine_are_not_there(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_TOKEN", "x")
    monkeypatch.setenv("HOME", str(tmp_path))
    body = "import os; print('seen', os.environ.get('MY_TOKEN'), os.path.expanduser('~')); raise SystemExit(3)"
    done = rehearse(written(tmp_path, data, body=body), data)
    line = next(line for line in done.log.splitlines() if line.startswith("seen"))
    assert line.startswith("seen None ")
    assert str(tmp_path) not in line
    assert done.missing


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_a_package_that_is_not_as_it_was_written_is_refused(change: str, data: Path, tmp_path: Path):
    folder = written(tmp_path, data)
    place = folder / "package" / "stoker.zip"
    if change == "changed":
        place.write_bytes(place.read_bytes().replace(b"stoker", b"staker", 1))
    elif change == "added":
        (folder / "package" / "more.py").touch()
    else:
        place.unlink()
    with pytest.raises(InputError, match="is not as it was written"):
        rehearse(folder, data)


def test_another_folder_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="holds no package"):
        rehearse(tmp_path)


def test_a_plugin_that_fails_in_a_successful_run_is_reported(data: Path, tmp_path: Path):
    text = (
        "from stoker.engine.hookspecs import hookimpl\n@hookimpl\ndef stoker_callbacks():\n    import hypothesis_not\n"
    )
    (tmp_path / "mine.py").write_text(text)
    heard: list[str] = []
    folder = written(tmp_path, data, plugins=(str(tmp_path / "mine.py"),))
    done = rehearse(folder, data, epochs=1, say=heard.append)
    ((what, _),) = done.missing
    assert what.startswith("plugin mine: stoker_callbacks: ModuleNotFoundError: No module named 'hypothesis_not'")
    assert "\n".join(heard) == done.log


@pytest.mark.parametrize(
    ("log", "what"),
    [
        ("error: the data are bad\nhint: fix them\n", "the data are bad"),
        ("something\nlast words\n\n", "last words"),
        ("", "it ended and printed nothing"),
    ],
)
def test_a_log_that_names_nothing_missing_is_summed_up(log: str, what: str):
    assert [each for each, _ in explain(log)] == [what]


def test_the_packages_of_an_environment_are_read_from_its_lines():
    text = 'dependencies:\n  - conda-forge::python=3.11\n  - pip\n  - pip:\n    - "Tensor_flow[and-cuda]==2"\n'
    assert names_in(text) == ["python", "pip", "pip", "Tensor_flow"]
