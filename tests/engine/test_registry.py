"""Registered models: versions that count up, never change, are never half there."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from stoker.engine import files
from stoker.engine.errors import InputError, OptionError, RunError, StorageError, UnknownNameError
from stoker.engine.job import TrainJob
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory

from .. import child, hostile
from ..patience import PATIENCE_S


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.of_runs(tmp_path / "runs")


def model(tmp_path: Path, content: str) -> Path:
    """The folder of a model with that content."""
    folder = tmp_path / f"model {content}"
    folder.mkdir(exist_ok=True)
    (folder / "model.keras").write_text(content)
    (folder / "README.txt").write_text("how to load it")
    return folder


def test_versions_count_up_from_1(registry: Registry, tmp_path: Path):
    versions = [registry.register("mnist", model(tmp_path, content), {}) for content in "abc"]
    assert [version.version for version in versions] == [1, 2, 3]
    assert registry.versions("mnist") == versions
    assert registry.latest("mnist") == versions[-1]
    assert registry.names() == ["mnist"]


def test_versions_sort_as_numbers(registry: Registry, tmp_path: Path):
    versions = [registry.register("mnist", model(tmp_path, str(number)), {}) for number in range(11)]
    assert registry.versions("mnist") == versions


def test_a_version_holds_all_files_of_the_model_and_their_digest(registry: Registry, tmp_path: Path):
    version = registry.register("mnist", model(tmp_path, "weights"), {})
    place = Path(version.location)
    assert sorted(path.name for path in place.iterdir()) == ["README.txt", "model.keras", "version.json"]
    assert files.sha256_file(place / "model.keras") == version.digest


def test_the_same_model_again_is_the_same_version(registry: Registry, tmp_path: Path):
    first = registry.register("mnist", model(tmp_path, "a"), {"run": "one"})
    registry.register("mnist", model(tmp_path, "b"), {"run": "two"})
    assert registry.register("mnist", model(tmp_path, "a"), {"run": "three"}) == first
    assert len(registry.versions("mnist")) == 2
    assert registry.record(Path(first.location))["run"] == "one"


def test_the_same_model_under_two_names_is_two_models(registry: Registry, tmp_path: Path):
    registry.register("one", model(tmp_path, "a"), {})
    registry.register("two", model(tmp_path, "a"), {})
    assert registry.names() == ["one", "two"]
    assert [registry.latest(name).version for name in ("one", "two")] == [1, 1]


def test_the_record_says_where_a_version_came_from(registry: Registry, tmp_path: Path):
    version = registry.register("mnist", model(tmp_path, "a"), {"run": "20261124-x", "job_sha256": "ab"})
    record = registry.record(Path(version.location))
    assert record.pop("registered_s") > 0
    assert record == {
        "name": "mnist", "version": 1, "digest": version.digest, "run": "20261124-x", "job_sha256": "ab",
    }  # fmt: skip


def test_the_registry_is_beside_the_runs_and_is_none_of_them(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob())
    assert Registry.beside(run).root == (tmp_path / "runs" / "registry").resolve()


@pytest.mark.parametrize("name", [*hostile.NAMES, "", "..", "../up", "a/b", ".lock"])
def test_a_name_that_could_lead_elsewhere_is_refused(registry: Registry, tmp_path: Path, name: str):
    with pytest.raises(OptionError, match="name to register"):
        registry.register(name, model(tmp_path, "a"), {})
    assert not registry.root.exists()


def test_a_run_without_a_model_has_nothing_to_register(registry: Registry, tmp_path: Path):
    with pytest.raises(InputError, match=r"no model\.keras") as caught:
        registry.register("mnist", tmp_path, {})
    assert caught.value.hint == "only a finished run has a model to register"


def test_an_unknown_model_is_answered_with_the_nearest(registry: Registry, tmp_path: Path):
    assert registry.versions("mnist") == []
    assert registry.names() == []
    registry.register("mnist", model(tmp_path, "a"), {})
    with pytest.raises(UnknownNameError) as caught:
        registry.latest("mnits")
    assert caught.value.hint == "did you mean 'mnist'?"


@pytest.mark.parametrize("name", ["1.bak", "0", "01", "2x", ".1.tmp", "notes"])
def test_what_is_no_version_does_not_count(registry: Registry, tmp_path: Path, name: str):
    (registry.root / "mnist" / name).mkdir(parents=True)
    assert registry.versions("mnist") == []
    assert registry.register("mnist", model(tmp_path, "a"), {}).version == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 3}', "[" * 100_000])
def test_a_damaged_record_is_an_error_that_names_it(registry: Registry, tmp_path: Path, text: str):
    version = registry.register("mnist", model(tmp_path, "a"), {})
    (Path(version.location) / "version.json").write_text(text)
    with pytest.raises(RunError, match=r"1/version\.json"):
        registry.latest("mnist")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("step", ["copy_tree", "write_json", "replace"])
def test_a_disk_that_fails_leaves_no_version(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, step: str
):
    def fail(path: Path, *arguments: object) -> None:
        raise (
            StorageError.from_os(OSError(code, ""), path) if step == "write_json" else OSError(code, os.strerror(code))
        )

    with monkeypatch.context() as broken:
        broken.setattr(files, step, fail)
        with pytest.raises(StorageError, match="can't write"):
            registry.register("mnist", model(tmp_path, "a"), {})
    assert registry.versions("mnist") == []
    assert [path.name for path in (registry.root / "mnist").iterdir()] == [".lock"]


REGISTER = """
import os, signal
from pathlib import Path
from stoker.engine import files
from stoker.engine.registry import Registry

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

root, moment, *models = sys.argv[1:]
if moment:
    setattr(files, moment, die)
for model in models:
    Registry(Path(root)).register("mnist", Path(model), {"process": os.getpid()})
"""


@pytest.mark.parametrize("moment", ["sync_file", "sync_folder", "write_json", "replace"])
def test_a_registration_that_is_killed_leaves_no_version_and_can_be_done_again(
    registry: Registry, tmp_path: Path, moment: str
):
    folder = model(tmp_path, "a")
    assert child.start(REGISTER, registry.root, moment, folder).wait(PATIENCE_S) == -signal.SIGKILL
    assert registry.versions("mnist") == []
    version = registry.register("mnist", folder, {})
    assert version.version == 1
    assert sorted(path.name for path in (registry.root / "mnist").iterdir()) == [".lock", "1"]


def test_processes_that_register_at_once_get_one_version_for_each_model(registry: Registry, tmp_path: Path):
    shared = [model(tmp_path, f"shared {number}") for number in range(3)]
    own = [model(tmp_path, f"own {number}") for number in range(4)]
    children = [child.start(REGISTER, registry.root, "", *shared, folder, *reversed(shared)) for folder in own]
    assert [one.wait(PATIENCE_S) for one in children] == [0] * 4
    versions = registry.versions("mnist")
    assert [version.version for version in versions] == list(range(1, 8))
    assert len({version.digest for version in versions}) == 7


@pytest.mark.parametrize(
    "content", ["", "[]", '{"digest": 7}', "{" * 10_000, None], ids=["", "list", "type", "deep", "pipe"]
)
def test_a_damaged_record_hides_no_other_version(registry: Registry, tmp_path: Path, content: str | None):
    for number in range(2):
        registry.register("mnist", model(tmp_path, f"{number}"), {})
    path = registry.root / "mnist" / "1" / "version.json"
    path.unlink()
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content)
    assert [bool(version.digest) for version in registry.versions("mnist")] == [False, True]
    assert registry.latest("mnist").version == 2
    assert registry.register("mnist", model(tmp_path, "0"), {}).version == 3
    (registry.root / "mnist" / "3" / "version.json").write_text("{}")
    with pytest.raises(RunError, match="is no record of a model"):
        registry.latest("mnist")
