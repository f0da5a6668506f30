"""`train --detach` reports the run that it has started in the form that was asked for."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.plugins.commands import train


@pytest.mark.parametrize(
    ("quiet", "json", "said"),
    [
        (False, False, "started {0}\nwatch it with: stoker runs attach {0} --runs-dir {1}\n"),
        (False, True, '{{"kind": "started", "run": "{0}"}}\n'),
        (True, False, ""),
        (True, True, ""),
    ],
)
def test_a_detached_run_is_reported_in_words_as_json_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool, json: bool, said: str
):
    backend: Any = None
    run = RunDirectory.create(tmp_path, TrainJob())
    assert train._follow(run, backend, Namespace(detach=True, quiet=quiet, json=json)) == 0
    assert capsys.readouterr().out == said.format(run.run_id, shlex.quote(str(tmp_path)))
