"""The environment of the node."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from stoker.engine.errors import InputError
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit import conda, pins
from stoker.plugins.azureml.submit.environment import Environment, make_environment
from stoker.plugins.azureml.submit.pins import NEEDED
from stoker.plugins.azureml.submit.runconfig import sdk_environment

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def packages_of(text: str) -> tuple[list[str], list[str]]:
    """What conda and what pip shall install."""
    *by_conda, pip = yaml.safe_load(text)["dependencies"]
    return by_conda, pip["pip"]


def user_file(folder: Path, *pip: str, python: str = f"python={PYTHON}") -> AzureSettings:
    """Settings with a conda YAML of the user's."""
    path = folder / "environment.yml"
    path.write_text(yaml.safe_dump({"dependencies": [python, "pip", {"pip": list(pip)}]}))
    return AzureSettings(environment=str(path))


def all_needed(**other: str) -> list[str]:
    """Everything stoker needs, in the versions that are here but for those given."""
    versions = {name: importlib.metadata.version(name) for name in NEEDED} | other
    return [f"{name}=={version}" if version else name for name, version in versions.items()] + ["azureml-defaults"]


def test_the_environment_has_the_versions_that_are_installed_here():
    by_conda, by_pip = packages_of(make_environment(AzureSettings(), {}).text)
    assert by_conda == [f"python={PYTHON}", "pip"]
    for name in NEEDED:
        extra = "[and-cuda]" if name == "tensorflow" else ""
        assert f"{name}{extra}=={importlib.metadata.version(name)}" in by_pip


def test_nodes_without_a_gpu_get_no_cuda():
    text = make_environment(AzureSettings(vm_size="Standard_DS3_v2"), {}).text
    assert f"tensorflow=={importlib.metadata.version('tensorflow')}" in text
    assert "cuda" not in text


@pytest.mark.parametrize(
    ("distribution", "version", "line"),
    [
        ("tensorflow-cpu", "2.16.1", "tensorflow==2.16.1"),
        ("tensorflow-macos", "2.16.1", "tensorflow==2.16.1"),
        ("tensorflow-rocm", "2.14.0.600", "tensorflow==2.14.0"),
        ("tf-nightly", "2.19.0.dev20241108", "tf-nightly==2.19.0.dev20241108"),
        ("tensorflow", "2.15.0+nv23.11", "tensorflow==2.15.0"),
        ("", "", "tensorflow"),
    ],
)
def test_tensorflow_of_any_distribution_becomes_one_that_the_node_can_install(
    distribution: str, version: str, line: str, monkeypatch: pytest.MonkeyPatch
):
    found = {distribution: version} if distribution else {}
    monkeypatch.setattr(pins, "providers", lambda name: found if name == "tensorflow" else {name: "1.0"})
    made = make_environment(AzureSettings(vm_size="Standard_DS3_v2"), {**found, "pandas": "9.9"})
    lines = packages_of(made.text)[1]
    assert [each for each in lines if each.startswith(("tensorflow", "tf"))] == [line]
    assert "pandas==9.9" in lines
    assert any("tensorflow" in warning for warning in made.warnings) == (not distribution)


def test_what_the_users_code_needs_is_in_it():
    assert "pandas==9.9" in packages_of(make_environment(AzureSettings(), {"pandas": "9.9"}).text)[1]


def test_the_same_versions_give_the_same_text():
    first = make_environment(AzureSettings(), {"a": "1", "b": "2"})
    assert make_environment(AzureSettings(compute="other"), {"b": "2", "a": "1"}) == first


def test_a_file_of_the_users_is_taken_as_it_is(tmp_path: Path):
    settings = user_file(tmp_path, *all_needed())
    made = make_environment(settings, {})
    assert made.text == Path(settings.environment).read_text()
    assert (made.origin, made.warnings) == (settings.environment, ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keras": "1.0"}, "has keras 1.0, here it is {keras}"),
        ({"numpy": ""}, "does not say which version of numpy"),
    ],
)
def test_other_versions_are_warnings(change: dict[str, str], words: str, tmp_path: Path):
    (warning,) = make_environment(user_file(tmp_path, *all_needed(**change)), {}).warnings
    assert words.format(keras=importlib.metadata.version("keras")) in warning


def test_another_python_is_a_warning(tmp_path: Path):
    settings = user_file(tmp_path, *all_needed(), python="python=3.99")
    (warning,) = make_environment(settings, {}).warnings
    assert warning == f"the environment has Python 3.99, this is {PYTHON}"


@pytest.mark.parametrize("python", ["python=3.8", "python==3.10.18"])
def test_a_python_that_stoker_does_not_run_on_is_refused(tmp_path: Path, python: str):
    with pytest.raises(InputError, match="has a Python that stoker doesn't run on") as caught:
        make_environment(user_file(tmp_path, *all_needed(), python=python), {})
    assert (caught.value.received, caught.value.expected) == (python, "python=3.11 or later")


REPLACED = ("python=3.11.*", "python=3.11.9=he1021f5_0", "python", "python=3", "python>=3")
"""What the SDK posts as Python 3.10."""

DOUBLED = ("conda-forge::python=3.11", "python 3.11", "python =3.11", "Python=3.11")
"""To what the SDK adds Python 3.10."""


def posted(text: str) -> None:
    """Hands a conda YAML to the SDK, and compares what it posts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own
        sdk_environment(Environment(text=text, origin="mine"), "image:1")


@pytest.mark.parametrize("python", [*REPLACED, *DOUBLED])
def test_what_the_sdk_would_post_is_compared_with_what_was_given(tmp_path: Path, python: str):
    text = Path(user_file(tmp_path, *all_needed(), python=python).environment).read_text()
    with pytest.raises(InputError, match="would post other dependencies than mine has") as caught:
        posted(text)
    assert f"python={conda._SDK_PYTHON}" in caught.value.received
    assert (f'"{python}"' in caught.value.received) is (python in DOUBLED)
    assert python in caught.value.expected


@pytest.mark.parametrize(
    ("python", "what"),
    [
        *((python, "replaces by python=3.10.18") for python in REPLACED),
        *((python, "adds python=3.10.18 to") for python in DOUBLED),
    ],
)
def test_a_python_that_the_sdk_would_change_is_refused_with_what_it_does(tmp_path: Path, python: str, what: str):
    with pytest.raises(InputError) as caught:
        make_environment(user_file(tmp_path, *all_needed(), python=python), {})
    assert caught.value.what.endswith(f"names Python in a form that Azure ML's SDK {what}")
    assert caught.value.received == python


@pytest.mark.parametrize("python", ["python>=3.11", "python>=3.11,<3.13", "python<3.11.5", "python!=3.10,>=3.9"])
def test_a_range_of_pythons_is_posted_as_it_is_with_a_warning(tmp_path: Path, python: str):
    made = make_environment(user_file(tmp_path, *all_needed(), python=python), {})
    assert made.warnings == (f"the environment does not say which version of Python; here it is {PYTHON}",)
    posted(made.text)


@pytest.mark.parametrize(
    ("conda_line", "pip_line", "name"),
    [
        ("numpy=1.26", "numpy==2.0.1", "numpy"),
        (f"python={PYTHON}", f"NumPy=={importlib.metadata.version('numpy')}.9", ""),
        ("python=3.99", "some-package", "python"),
        ("scikit_learn=1.4", "scikit-learn==1.5", "scikit-learn"),
    ],
)
def test_a_package_of_two_versions_is_refused(conda_line: str, pip_line: str, name: str, tmp_path: Path):
    settings = user_file(tmp_path, *all_needed(numpy=""), pip_line)
    path = Path(settings.environment)
    path.write_text(path.read_text().replace("- pip\n", f"- pip\n- {conda_line}\n"))
    if not name:
        assert make_environment(settings, {}).text
        return
    with pytest.raises(InputError) as caught:
        make_environment(settings, {})
    assert caught.value.what.endswith(f"lists {name} twice, in different versions")
    assert conda_line in caught.value.received


def test_two_versions_for_two_conditions_are_none_too_many(tmp_path: Path):
    lines = ('some==1; python_version<"3.12"', 'some==2; python_version>="3.12"')
    assert make_environment(user_file(tmp_path, *all_needed(), *lines), {}).warnings == ()


@pytest.mark.parametrize("lines", ["prefix: /home/me/envs/mine\n", "prefix:\n  /home/me/envs/mine\n"])
@pytest.mark.parametrize("last", [False, True])
def test_where_the_environment_lies_here_is_not_sent(lines: str, last: bool, tmp_path: Path):
    settings = user_file(tmp_path, *all_needed())
    path = Path(settings.environment)
    plain = path.read_text()
    path.write_text(f"{plain}{lines}" if last else f"{lines}{plain}")
    assert make_environment(settings, {}).text == plain


def test_where_the_environment_lies_here_is_refused_where_it_is_no_line_of_its_own(tmp_path: Path):
    settings = user_file(tmp_path, *all_needed())
    path = Path(settings.environment)
    path.write_text(json.dumps({"prefix": "/home/me", **yaml.safe_load(path.read_text())}))
    with pytest.raises(InputError, match="says where it lies on this machine"):
        make_environment(settings, {})


@pytest.mark.parametrize("python", ["python=3.11", "python==3.11", "python=3.11.9"])
def test_a_python_that_is_accepted_is_one_that_the_sdk_reads(tmp_path: Path, python: str):
    settings = user_file(tmp_path, *all_needed(), python=python)
    made = make_environment(settings, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own
        sdk_environment(made, "image:1")
        from azureml.core.conda_dependencies import CondaDependencies

        read = CondaDependencies(settings.environment).get_python_version()
    assert read == python.lstrip("python=")


@pytest.mark.parametrize(
    "line",
    [
        *("-r requirements.txt", "-rreq.txt", "-e .", "-c constraints.txt", "--find-links ./wheels", "-f=wheels"),
        *("./mine-1.0-py3-none-any.whl", "wheels/mine.whl", "mine.whl", "~/mine.whl", "${HOME}/mine.whl"),
        *("mine @ file:///tmp/mine", "git+file:///tmp/mine", "mine @ git+file:///tmp/mine", "C:/wheels/mine.whl"),
    ],
)
def test_a_line_about_something_on_this_machine_is_refused(tmp_path: Path, line: str):
    with pytest.raises(InputError) as caught:
        make_environment(user_file(tmp_path, *all_needed(), line), {})
    assert caught.value.what.endswith(f"names what is on this machine only: {line!r}")


@pytest.mark.parametrize(
    "line",
    [
        *("-e git+https://example.org/mine.git#egg=mine", "mine @ https://example.org/mine-1.0-py3-none-any.whl"),
        *("git+ssh://git@example.org/mine.git", "-r https://example.org/requirements.txt", "some-package[extra]==1.0"),
    ],
)
def test_a_line_about_something_elsewhere_is_none(tmp_path: Path, line: str):
    assert make_environment(user_file(tmp_path, *all_needed(), line), {}).warnings == ()


def test_a_channel_of_this_machine_is_refused(tmp_path: Path):
    settings = user_file(tmp_path, *all_needed())
    path = Path(settings.environment)
    path.write_text(f"channels: [./channel, 'file:///opt/channel', conda-forge]\n{path.read_text()}")
    with pytest.raises(InputError) as caught:
        make_environment(settings, {})
    assert caught.value.what.endswith(": './channel', 'file:///opt/channel'")


def test_a_package_of_another_system_is_a_warning(tmp_path: Path):
    (warning,) = make_environment(user_file(tmp_path, *all_needed(), "pywin32==306"), {}).warnings
    assert "pywin32, which does not exist for Linux" in warning


def test_a_python_for_pip_is_no_python(tmp_path: Path):
    with pytest.raises(InputError, match="lacks python"):
        make_environment(user_file(tmp_path, *all_needed(), "python==3.11", python="pip"), {})


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "e.yml")
    with pytest.raises(InputError, match="can't read the environment") as caught:
        make_environment(AzureSettings(environment=str(tmp_path / "e.yml")), {})
    assert caught.value.received == "not a plain file"


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path):
    settings = user_file(tmp_path, *all_needed())
    path = Path(settings.environment)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert make_environment(settings, {}).warnings == ()


def test_what_the_users_code_needs_and_the_file_lacks_is_a_warning(tmp_path: Path):
    (warning,) = make_environment(user_file(tmp_path, *all_needed()), {"pandas": "9.9"}).warnings
    assert warning == "the environment lacks pandas, which is needed here in version 9.9"


@pytest.mark.parametrize("spelling", ["Tensorflow==2", "tensorflow-cpu==2", "tensorflow[and-cuda]>=2", "TensorFlow"])
def test_spellings_of_a_name_count(spelling: str, tmp_path: Path):
    needed = [each for each in all_needed() if not each.startswith("tensorflow")]
    assert make_environment(user_file(tmp_path, *needed, spelling), {}).text


def test_a_file_that_lacks_what_stoker_needs_is_refused(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        make_environment(user_file(tmp_path, "keras", "numpy"), {})
    assert "lacks matplotlib, platformdirs, pluggy, requests, tensorflow" in caught.value.what


@pytest.mark.parametrize("text", ["", "a: [", "[]", "dependencies: 7", "dependencies: [7]", "dependencies: [{x: y}]"])
def test_a_file_that_is_no_environment_is_refused(text: str, tmp_path: Path):
    (tmp_path / "e.yml").write_text(text)
    with pytest.raises(InputError, match="is no conda environment"):
        make_environment(AzureSettings(environment=str(tmp_path / "e.yml")), {})


def test_aliases_that_stand_for_more_than_memory_holds_are_refused_at_once(tmp_path: Path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise("abcdefghijk")
    ]
    for last in ("dependencies: [python=3.11, pip, {pip: *k}]", "dependencies: *k", "dependencies: [*k]"):
        path = tmp_path / "environment.yml"
        path.write_text("\n".join([*lines, last]))
        with pytest.raises(InputError, match="is no conda environment"):
            make_environment(AzureSettings(environment=str(path)), {})


@pytest.mark.parametrize("text", ["[" * 100_000, "dependencies: " + "[" * 5000 + "]" * 5000, "dependencies: [1]"])
def test_a_file_that_is_nested_too_deep_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "environment.yml"
    path.write_text(text)
    with pytest.raises(InputError, match="is no conda environment"):
        make_environment(AzureSettings(environment=str(path)), {})


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"])
def test_a_file_that_can_not_be_read_is_refused(content: Any, tmp_path: Path):
    if content:
        (tmp_path / "e.yml").write_bytes(content)
    with pytest.raises(InputError, match="can't read the environment"):
        make_environment(AzureSettings(environment=str(tmp_path / "e.yml")), {})
