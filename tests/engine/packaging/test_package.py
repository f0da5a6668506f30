"""What goes up for a job: this engine, the job, the user's own code, and nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import InputError
from stoker.engine.job import TrainJob
from stoker.engine.package import Entry, Limits, Package, package_documents
from stoker.plugins.azureml.submit import prepare as azureml
from stoker.plugins.azureml.submit.prepare import IGNORE_FILES

from ...patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]
ENTRY = Entry(source=ROOT / "plugins" / "azureml" / "node" / "run.py")
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
DIGEST = """
from stoker.engine.job import TrainJob
from stoker.plugins.azureml.submit.prepare import package_of
print(package_of(TrainJob()).digest)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder of the user's: a model, a module beside it, a package, and all kinds of things."""
    folder = tmp_path / "my code"
    (folder / "parts" / "deep").mkdir(parents=True)
    (folder / "model.py").write_text(
        "import json\nimport layers\n\n\ndef build(config):\n    from parts.deep import x\n"
    )
    (folder / "layers.py").write_text("import numpy\nfrom parts import y\n")
    (folder / "other.py").write_text("")
    (folder / "parts" / "__init__.py").write_text("y = 1\n")
    (folder / "parts" / "deep" / "__init__.py").write_text("from .. import y\nx = 2\n")
    (folder / "parts" / "words.txt").write_text("a\n")
    (folder / "notes.txt").write_text("")
    return folder


def package_of(job: TrainJob, **facts: Any) -> Package:
    """The package of a job for a backend that sends an entry script."""
    return Package.of(job, entry=ENTRY, **facts)


def own(package: Package) -> list[str]:
    return [place for place in package.files if place.startswith("user/")]


def engine(package: Package) -> list[str]:
    """The files of the engine."""
    with zipfile.ZipFile(io.BytesIO(package.files["stoker.zip"])) as archive:
        return archive.namelist()


def test_the_package_of_the_default_job_has_the_engine_the_job_and_the_entry_script():
    package = package_of(TrainJob())
    assert list(package.files) == ["job.json", "run.py", "stoker.zip"]
    assert {"stoker/cli.py", "stoker/engine/training/train.py", "stoker/models/dnn.py"} <= set(engine(package))
    assert (package.left_out, package.warnings) == ({}, ())


def test_nothing_of_the_checkout_but_the_engine_goes_up():
    places = engine(azureml.package_of(TrainJob()))
    parts = ("stoker/engine/", "stoker/plugins/", "stoker/datasets/", "stoker/models/")
    others = [place for place in places if not place.startswith(parts)]
    assert others == ["stoker/cli.py", "stoker/__main__.py"]
    assert [place for place in places if not place.endswith(".py")] == []
    assert [place for place in places if "testing" in place or "azureml_emulator" in place] == []


def test_what_a_backend_has_no_use_for_stays_here():
    whole, part = engine(package_of(TrainJob())), engine(package_of(TrainJob(), without=("plugins/azureml/",)))
    assert "stoker/plugins/azureml/backend.py" in whole
    assert part == [place for place in whole if not place.startswith("stoker/plugins/azureml/")]


def test_without_an_entry_script_the_package_is_the_job_and_the_users_code(code: Path):
    package = Package.of(TrainJob(plugins=(f"{code}/other.py",)))
    assert list(package.files) == ["job.json", "user/1/other.py"]


def test_each_backend_has_its_own_ignore_files(code: Path):
    (code / ".gitignore").write_text("*.txt\n")
    (code / ".someignore").write_text("*.nothing\n")
    job = TrainJob(model=f"{code}/model.py:build")
    assert "user/lib/parts/words.txt" not in Package.of(job).files
    assert "user/lib/parts/words.txt" in Package.of(job, ignore_files=(".someignore", ".gitignore")).files


def test_what_packs_a_job_knows_of_no_service_but_the_forms_of_its_secrets():
    paths = [ROOT / "engine" / "package.py", *(ROOT / "engine" / "packaging").glob("*.py")]
    naming = {path.name for path in paths if "azure" in path.read_text().lower()}
    assert naming == {"never.py", "secret_forms.py"}


def test_the_same_job_gives_the_same_digest_and_another_one_another():
    job = TrainJob(epochs=3)
    assert package_of(job).digest == package_of(replace(job)).digest
    assert package_of(job).digest != package_of(replace(job, epochs=4)).digest


def test_where_the_users_files_lie_does_not_change_the_digest(code: Path, tmp_path: Path):
    first = package_of(TrainJob(model=f"{code}/model.py:build"))
    moved = shutil.move(code, tmp_path / "elsewhere")
    assert package_of(TrainJob(model=f"{moved}/model.py:build")).digest == first.digest


def test_one_changed_byte_of_the_users_changes_the_digest(code: Path):
    job = TrainJob(model=f"{code}/model.py:build")
    before = package_of(job).digest
    (code / "parts" / "words.txt").write_text("b\n")
    assert package_of(job).digest != before


def test_a_model_brings_the_modules_beside_it_that_it_imports_and_no_others(code: Path):
    package = package_of(TrainJob(model=f"{code}/model.py:build"))
    assert own(package) == [
        "user/1/model.py",
        "user/lib/layers.py",
        "user/lib/parts/__init__.py",
        "user/lib/parts/deep/__init__.py",
        "user/lib/parts/words.txt",
    ]
    assert json.loads(package.files["job.json"])["model"] == "user/1/model.py:build"


def test_the_job_in_the_package_names_nothing_of_this_machine(code: Path, tmp_path: Path):
    job = TrainJob(
        model=f"{code}/model.py:build", plugins=(f"{code}/other.py",), data_folder=str(tmp_path), register="mine"
    )
    text = package_of(job).files["job.json"].decode()
    assert str(tmp_path) not in text
    sent = TrainJob.from_json(json.loads(text))
    assert (sent.plugins, sent.data_folder, sent.register) == (("user/1/other.py",), "", "")
    assert sent.title == job.title
    assert sent.allow_drift


def test_plugins_of_several_folders_keep_their_names(code: Path, tmp_path: Path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "other.py").write_text("")
    job = TrainJob(plugins=(f"{code}/other.py", f"{tmp_path}/b/other.py", "no:local"))
    assert own(package_of(job)) == ["user/1/other.py", "user/2/other.py"]
    names = json.loads(package_of(job).files["job.json"])["plugins"]
    assert names == ["user/1/other.py", "user/2/other.py", "no:local"]


def test_a_module_on_the_path_goes_along_and_an_installed_one_is_required(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "mytools.py").write_text("import pandas\n")
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    (code / "other.py").write_text("import mytools\nimport keras, stoker.engine.model\n")
    package = package_of(TrainJob(plugins=(f"{code}/other.py",)))
    assert own(package) == ["user/1/other.py", "user/lib/mytools.py"]
    assert {"pandas", "keras"} <= package.requirements.keys()
    assert "stoker" not in package.requirements


def test_a_tracker_that_the_job_turns_on_is_required():
    assert "mlflow-skinny" in package_of(TrainJob(options={"mlflow": True})).requirements
    assert package_of(TrainJob(options={"mlflow": False})).requirements == {}


def test_a_plugin_that_is_a_module_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "myplugin.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = package_of(TrainJob(plugins=("myplugin",)))
    assert own(package) == ["user/lib/myplugin.py"]
    assert json.loads(package.files["job.json"])["plugins"] == ["myplugin"]


def test_an_import_that_leads_nowhere_is_a_warning_unless_the_code_copes_without(code: Path):
    (code / "other.py").write_text(
        "import nowhere_to_be_found\ntry:\n    import speedups\nexcept ImportError:\n    pass\n"
    )
    (warning,) = package_of(TrainJob(plugins=(f"{code}/other.py",))).warnings
    assert "other.py:1 imports nowhere_to_be_found, which is not installed here" in warning


def test_what_ignore_files_exclude_stays_here_with_the_rule(code: Path):
    (code / ".gitignore").write_text("*.txt\n")
    (code / "parts" / "__pycache__").mkdir()
    package = package_of(TrainJob(model=f"{code}/model.py:build"))
    assert "user/lib/parts/words.txt" not in package.files
    assert package.left_out == {
        str(code / "parts" / "words.txt"): ".gitignore:1: *.txt",
        str(code / "parts" / "__pycache__"): "a cache: __pycache__/",
    }


def write_made(code: Path, text: str) -> None:
    """Writes modules that a tool made and an ignore file names, and a package with a line that imports them."""
    (code / ".gitignore").write_text("_version.py\nmade/\n")
    (code / "parts" / "made").mkdir()
    (code / "parts" / "_version.py").write_text("version = '1'\n")
    (code / "parts" / "made" / "some_pb2.py").write_text("x = 1\n")
    (code / "parts" / "__init__.py").write_text(f"y = 1\n{text}")


@pytest.mark.parametrize(
    ("text", "number", "what"),
    [
        ("from ._version import version\n", 1, "_version.py"),
        ("from . import _version\n", 1, "_version.py"),
        ("import parts._version\n", 1, "_version.py"),
        ("from parts import _version, y\n", 1, "_version.py"),
        ("try:\n    from ._version import version\nexcept ImportError:\n    version = ''\n", 1, "_version.py"),
        ("from .made.some_pb2 import x\n", 2, "made/"),
        ("from .made import some_pb2\nimport parts.made.some_pb2\n", 2, "made/"),
    ],
)
def test_python_that_stays_here_though_it_is_imported_is_warned_about_once(
    text: str, number: int, what: str, code: Path
):
    write_made(code, text)
    (warning,) = package_of(TrainJob(model=f"{code}/model.py:build"), ignore_files=IGNORE_FILES).warnings
    path = f"{code}/parts/{what.removesuffix('/')}"
    assert f"imports {path}, which stays here: .gitignore:{number}: {what}; " in warning
    assert warning.endswith(f"; the line !/{what} in {code}/parts/.amlignore sends it")


def test_an_import_from_deeper_in_the_package_is_followed(code: Path):
    write_made(code, "")
    (code / "parts" / "deep" / "__init__.py").write_text("x = 2\nfrom .._version import version\n")
    (warning,) = package_of(TrainJob(model=f"{code}/model.py:build")).warnings
    assert warning.startswith(f"{code}/parts/deep/__init__.py:2 imports {code}/parts/_version.py, which stays here")


def test_python_that_stays_here_and_is_imported_by_none_is_no_matter(code: Path):
    write_made(code, "")
    assert package_of(TrainJob(model=f"{code}/model.py:build")).warnings == ()


@pytest.mark.parametrize("text", ["from ._version import version\n", "from .made.some_pb2 import x\n"])
def test_the_line_that_a_warning_gives_sends_the_module(text: str, code: Path):
    write_made(code, text)
    job = TrainJob(model=f"{code}/model.py:build")
    (warning,) = package_of(job, ignore_files=IGNORE_FILES).warnings
    told = re.search(r"the line (\S+) in (.+) sends it", warning)
    assert told
    Path(told[2]).write_text(f"{told[1]}\n")
    package = package_of(job, ignore_files=IGNORE_FILES)
    assert package.warnings == ()
    assert "user/lib/parts/" + re.sub("^!/", "", told[1]) in {place[: len(told[1]) + 13] for place in package.files}


def test_an_ignore_file_that_would_take_the_place_of_other_rules_is_said(code: Path):
    (code / "parts" / ".gitignore").write_text("_version.py\n*.txt\n")
    (code / "parts" / "_version.py").write_text("")
    (code / "parts" / "__init__.py").write_text("y = 1\nfrom . import _version\n")
    (warning,) = package_of(TrainJob(model=f"{code}/model.py:build"), ignore_files=IGNORE_FILES).warnings
    assert warning.endswith(".amlignore sends it, with those lines of the .gitignore there that are still to count")


@pytest.mark.parametrize(
    ("name", "remedy"), [("outputs", "give it another name"), ("link", "put the file itself there")]
)
def test_python_that_no_ignore_file_keeps_here_has_its_own_remedy(code: Path, name: str, remedy: str):
    (code / "parts" / "outputs").mkdir()
    (code / "parts" / "outputs" / "x.py").write_text("")
    (code / "parts" / "link.py").symlink_to(code / "other.py")
    (code / "parts" / "__init__.py").write_text(f"y = 1\nfrom . import {name}\n")
    (warning,) = package_of(TrainJob(model=f"{code}/model.py:build")).warnings
    assert warning.endswith(f"; {remedy}")


def plant(code: Path) -> dict[str, str]:
    """Puts secrets where they get lost: {file: what must not be found}."""
    key = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nc2VjcmV0LW9uZQ\n"
    account = "AccountKey=" + "b" * 86 + "=="
    secrets = {
        ".env": "TOKEN=secret-two\n",
        "id_rsa": "secret-three\n",
        "parts/.env": "TOKEN=secret-four\n",
        "parts/server.pem": "secret-five\n",
        "parts/deploy.txt": key,
        "parts/notes.md": f"storage: {account}\n",
        "parts/credentials.json": '{"refresh": "secret-six"}\n',
        "parts/remote.cfg": "url = https://me:" + "secret-seven@github.com/x/y.git\n",
    }
    for name, text in secrets.items():
        (code / name).write_text(text)
    return secrets


def test_planted_secrets_do_not_go_up(code: Path, tmp_path: Path):
    planted = plant(code)
    package = package_of(TrainJob(model=f"{code}/model.py:build"))
    package.write(tmp_path / "up")
    whole = b"".join(path.read_bytes() for path in sorted((tmp_path / "up").rglob("*")) if path.is_file())
    said = repr((package.left_out, package.warnings)).encode()
    for text in planted.values():
        last = text.split("=", 1)[-1].split(": ")[-1].strip(' "{}\n').encode()
        assert last not in whole
        assert last not in said
    left_out = {Path(path).name for path in package.left_out}
    assert left_out == {".env", "server.pem", "deploy.txt", "notes.md", "credentials.json", "remote.cfg"}
    assert any("deploy.txt is not sent: it holds a private key in line 1" in text for text in package.warnings)


def test_code_with_a_secret_in_it_is_refused_and_the_secret_is_not_repeated(code: Path):
    token = "ghp_" + "z" * 36
    (code / "layers.py").write_text(f"# one\nTOKEN = '{token}'\n")
    with pytest.raises(InputError) as caught:
        package_of(TrainJob(model=f"{code}/model.py:build"))
    assert "layers.py may not leave this machine: it holds a token of GitHub in line 2" in str(caught.value)
    assert token not in f"{caught.value}{caught.value.hint}{caught.value.received}"


def test_all_lines_with_a_secret_are_named_at_once_and_the_comment_that_overrules(code: Path):
    line = f"TOKEN = 'ghp_{'z' * 36}'"
    (code / "layers.py").write_text(f"{line}\n{line}  # pragma: allowlist secret\n{line}\n")
    with pytest.raises(InputError) as caught:
        package_of(TrainJob(model=f"{code}/model.py:build"))
    assert caught.value.what.endswith("it holds a token of GitHub in line 1, a token of GitHub in line 3")
    assert "`# pragma: allowlist secret` on the line" in str(caught.value.hint)


def test_what_a_comment_lets_pass_goes_and_is_noted(code: Path):
    token = "ghp_" + "z" * 36
    (code / "layers.py").write_text(f"# one\nTOKEN = '{token}'  # pragma: allowlist secret\n")
    (code / "parts" / "some.yaml").write_text(f"token: {token}  # pragma: allowlist secret\n")
    package = package_of(TrainJob(model=f"{code}/model.py:build", plugins=(f"{code}/layers.py",)))
    assert {"user/1/layers.py", "user/lib/parts/some.yaml"} <= package.files.keys()
    assert package.allowed == {
        str(code / "layers.py"): ("a token of GitHub in line 2",),
        str(code / "parts" / "some.yaml"): ("a token of GitHub in line 1",),
    }


def test_a_package_of_python_may_be_called_as_files_of_secrets_are(code: Path):
    (code / "credentials").mkdir()
    (code / "credentials" / "__init__.py").write_text("")
    (code / "other.py").write_text("import credentials\n")
    package = package_of(TrainJob(plugins=(f"{code}/other.py",)))
    assert own(package) == ["user/1/other.py", "user/lib/credentials/__init__.py"]


@pytest.mark.parametrize(("name", "helps"), [("some.yaml", True), ("some.json", False)])
def test_a_data_file_that_stays_says_how_it_may_go(name: str, helps: bool, code: Path):
    (code / "parts" / name).write_text('{"password": "kd93kdlQ"}')
    (warning,) = package_of(TrainJob(model=f"{code}/model.py:build")).warnings
    assert f"{name} is not sent: it holds a value named like a secret in line 1" in warning
    assert ("pragma: allowlist secret" in warning) is helps


def test_no_comment_lets_an_option_pass():
    with pytest.raises(InputError, match="the value of --tracker-uri may not leave"):
        package_of(TrainJob(options={"tracker_uri": "https://me:" + "hunter22@host/x # pragma: allowlist secret"}))


@pytest.mark.parametrize(
    "options",
    [
        {"tracker_uri": "https://me:" + "hunter22@host/x"},
        {"tracker_api_key": "0123456789abcdef"},
        {"note": "password=hunter2secret1"},
        {"note": f"see {TOKEN}"},
        {"weights": f"/mnt/{TOKEN}/x"},
        {"registry": "user:pass-word1@registry.example.org"},
        {"note": f"\0{TOKEN}"},
    ],
)
def test_an_option_with_a_secret_in_it_is_refused(options: dict[str, Any]):
    with pytest.raises(InputError) as caught:
        package_of(TrainJob(options=options))
    assert f"the value of --{next(iter(options)).replace('_', '-')} may not leave" in caught.value.what
    assert next(iter(options.values())) not in str(caught.value)


@pytest.mark.parametrize(("field", "value"), [("register", TOKEN), ("name", TOKEN), ("plugins", (f"no:{TOKEN}",))])
def test_a_secret_in_a_field_of_the_job_is_refused(field: str, value: Any):
    with pytest.raises(InputError, match=f"the value of --{field} may not leave") as caught:
        package_of(TrainJob(**{field: value}))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("value", ["a note: password checked", "token budget 12", "mnist@1.0", "12:30@home", "a=b"])
def test_an_option_without_a_secret_goes(value: str):
    assert package_of(TrainJob(options={"note": value})).files


def test_an_option_that_names_a_file_here_is_a_warning(tmp_path: Path):
    (tmp_path / "words.txt").touch()
    package = package_of(TrainJob(options={"my_words": str(tmp_path / "words.txt")}))
    assert package.warnings == (f"--my-words names {tmp_path}/words.txt, which stays on this machine",)


def test_a_package_over_the_limits_is_refused_with_its_largest_files(code: Path):
    limits = Limits(bytes=2_000_000, files=2000, service="Some service")
    with (code / "parts" / "weights.bin").open("wb") as stream:
        stream.truncate(5_000_000)
    with pytest.raises(InputError) as caught:
        package_of(TrainJob(model=f"{code}/model.py:build"), limits=limits, ignore_files=(".someignore",))
    assert caught.value.what == "the package is larger than Some service takes"
    assert caught.value.hint.endswith("or name them in .someignore")
    assert "the largest: user/lib/parts/weights.bin (5.0 MB)" in caught.value.received
    assert caught.value.expected == "at most 2 MB in 2,000 files"


def test_a_package_of_too_many_files_is_refused(code: Path):
    limits = Limits(bytes=10**9, files=2000, service="Some service")
    for number in range(limits.files):
        (code / "parts" / f"{number}.txt").touch()
    with pytest.raises(InputError, match="larger than Some service takes"):
        package_of(TrainJob(model=f"{code}/model.py:build"), limits=limits)


@pytest.mark.parametrize(("text", "why"), [(None, "can't read"), ("def build(:\n", "is no Python")])
def test_a_file_that_can_not_be_read_is_refused(text: str | None, why: str, tmp_path: Path):
    if text is not None:
        (tmp_path / "model.py").write_text(text)
    with pytest.raises(InputError, match=why):
        package_of(TrainJob(model=f"{tmp_path}/model.py"))


def test_a_pipe_as_the_model_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "model.py")
    with pytest.raises(InputError, match="can't read") as caught:
        package_of(TrainJob(model=f"{tmp_path}/model.py"))
    assert caught.value.received == "not a plain file"


@pytest.mark.parametrize("name", ["fifo", "fifo.py", "socket"])
def test_what_is_no_plain_file_stays_here(name: str, code: Path):
    path = code / "parts" / name
    with socket.socket(socket.AF_UNIX) as unix, contextlib.chdir(path.parent):
        if name == "socket":
            unix.bind(name)
        else:
            os.mkfifo(name)
        package = package_of(TrainJob(model=f"{code}/model.py:build"))
    assert package.left_out == {str(path): "no plain file"}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (os.fsdecode(b"caf\xe9.txt"), r"caf\udce9.txt can't be sent: its name has bytes that are not UTF-8"),
        ("two\nlines.py", r"two\nlines.py can't be sent: its name has a line break or another control character"),
    ],
)
def test_a_name_that_can_not_be_sent_is_refused(name: str, what: str, code: Path):
    (code / "parts" / name).write_text("")
    with pytest.raises(InputError) as caught:
        package_of(TrainJob(model=f"{code}/model.py:build"))
    assert what in caught.value.what


def test_a_model_whose_name_is_no_text_is_refused(tmp_path: Path):
    path = tmp_path / os.fsdecode(b"caf\xe9.py")
    path.write_text("")
    with pytest.raises(InputError, match="bytes that are not UTF-8"):
        package_of(TrainJob(model=str(path)))


def test_what_stays_here_may_have_any_name(code: Path):
    (code / ".gitignore").write_text("*.bin\n")
    (code / "parts" / os.fsdecode(b"caf\xe9.bin")).write_text("")
    package = package_of(TrainJob(model=f"{code}/model.py:build"))
    assert list(package.left_out) == [str(code / "parts" / os.fsdecode(b"caf\xe9.bin"))]
    facts = package_documents(package, ENTRY, "")["package.json"]
    assert json.loads(facts)["left_out"] == dict(package.left_out)


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (f"parts/{TOKEN}.txt", "a file in {}/parts may not leave this machine: its name holds a token of GitHub"),
        (f"parts/{TOKEN}/a.py", "a folder in {}/parts may not leave"),
        (f"{TOKEN}.py", "a file in {} may not leave"),
        ("parts/password=hunter2secret1", "a file in {}/parts may not leave"),
    ],
)
def test_a_secret_as_a_name_is_refused_and_not_repeated(place: str, what: str, code: Path):
    (code / place).parent.mkdir(exist_ok=True)
    (code / place).write_text("")
    with pytest.raises(InputError) as caught:
        package_of(TrainJob(model=f"{code}/model.py:build", plugins=(f"{code}/{TOKEN}.py",) * (place == f"{TOKEN}.py")))
    assert what.format(code) in caught.value.what
    assert not {TOKEN, "hunter2secret1"} & set(re.split(r"[^\w]", f"{caught.value} {caught.value.hint}"))


def test_two_modules_of_one_name_are_refused(code: Path, tmp_path: Path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "layers.py").write_text("")
    (tmp_path / "b" / "plugin.py").write_text("import layers\n")
    job = TrainJob(model=f"{code}/model.py:build", plugins=(f"{tmp_path}/b/plugin.py",))
    with pytest.raises(InputError, match="two modules are called layers"):
        package_of(job)


def test_a_written_package_has_the_files_and_nothing_else(code: Path, tmp_path: Path):
    package = package_of(TrainJob(model=f"{code}/model.py:build"))
    top = package.write(tmp_path / "up")
    written = {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    assert written == dict(package.files)


def test_an_installed_stoker_makes_the_same_package_as_a_checkout(tmp_path: Path):
    ignore = shutil.ignore_patterns("[!.]*.egg-info", ".[!c]*", "__pycache__", "build", "dist", "bundled")
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=ignore)
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", wheels, source], check=True, timeout=PATIENCE_S)
    (wheel,) = wheels.iterdir()
    subprocess.run(
        [*pip, "install", "--no-deps", "-q", "--target", tmp_path / "site", wheel], check=True, timeout=PATIENCE_S
    )
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    path = f"import sys; sys.path[:0] = [{str(tmp_path / 'site')!r}]; sys.path.append({str(site)!r})"
    command = [sys.executable, "-S", "-c", path + DIGEST]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert done.stdout.strip() == azureml.package_of(TrainJob()).digest
