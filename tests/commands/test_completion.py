"""Completion scripts are valid, and bash completes commands, options and names with them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .. import plugin_files
from ..patience import PATIENCE_S
from ..plugin_files import hook
from ..stoker_process import stoker

SHELLS = ("bash", "zsh", "fish")

ASK = r"""
set -u
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
function_of_stoker=$(complete -p stoker | sed 's/.*-F \([^ ]*\) .*/\1/')
"$function_of_stoker" 2>/dev/null
printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Prints the script of each shell, with a plugin that adds an option and a model."""
    folder = tmp_path_factory.mktemp("scripts")
    plugin = plugin_files.write(
        folder / "zebra.py",
        hook(
            "stoker_add_options", "if command == 'train': parser.add_argument('--zebra-stripes', help='a \"b\" $c `d`')"
        ),
        hook("stoker_models", "return {'wide': 'x'}"),
    )
    made = {}
    for shell in SHELLS:
        done = stoker("-p", plugin, "completion", shell, cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        made[shell] = folder / f"stoker.{shell}"
        made[shell].write_text(done.stdout)
    return made


def test_the_script_is_valid_for_each_shell_that_is_here(scripts: dict[str, Path]):
    here = [shell for shell in SHELLS if shutil.which(shell)]
    assert "bash" in here
    for shell in here:
        command = [shell, "-n", str(scripts[shell])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert (shell, done.returncode, done.stderr) == (shell, 0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_knows_commands_options_and_what_plugins_add(scripts: dict[str, Path], shell: str):
    text = scripts[shell].read_text()
    assert all(word in text for word in ("train", "runs", "epochs", "zebra-stripes", "fetch"))


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("stoker tr", ["train"]),
        (
            "stoker ",
            [
                "azureml",
                "completion",
                "config",
                "data",
                "models",
                "plan",
                "plugins",
                "rehearse",
                "runs",
                "train",
                "verify-resume",
            ],
        ),
        ("stoker ex", []),
        ("stoker --de", ["--debug"]),
        ("stoker train --ep", ["--epochs"]),
        ("stoker train --epochs 3 --le", ["--learning-rate"]),
        ("stoker train --ze", ["--zebra-stripes"]),
        ("stoker train --model ", ["dnn", "wide"]),
        ("stoker train --dataset fash", ["fashion-mnist"]),
        ("stoker train --backend ", ["azureml", "local"]),
        ("stoker runs ", ["adopt", "attach", "cancel", "fetch", "list", "logs", "register", "show"]),
        ("stoker runs fetch --ou", ["--output"]),
        ("stoker azureml ", ["cleanup", "doctor", "emulator"]),
        ("stoker completion ", ["bash", "fish", "zsh"]),
        ("stoker plugins ", ["list", "new"]),
        ("stoker plugins new --ki", ["--kind"]),
        ("stoker plugins new x --kind ", ["backend", "callback", "dataset", "model"]),
    ],
)
def test_bash_completes(scripts: dict[str, Path], line: str, answers: list[str]):
    command = ["bash", "-c", ASK, "bash", str(scripts["bash"]), *line.split(" ")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.stderr == ""
    assert sorted(done.stdout.split()) == answers


def test_bash_completes_folders_where_an_option_takes_one(scripts: dict[str, Path], tmp_path: Path):
    (tmp_path / "my-runs").mkdir()
    (tmp_path / "my-file").touch()
    command = ["bash", "-c", ASK, "bash", str(scripts["bash"]), "stoker", "train", "--runs-dir", "my-"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert [name.rstrip("/") for name in done.stdout.split()] == ["my-runs"]
