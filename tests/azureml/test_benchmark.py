"""The benchmark of submissions: what it makes of its measurements, and that the tutorial's calls come to a run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stoker.benchmarks.bench import Bench
from stoker.benchmarks.contest import Contest
from stoker.benchmarks.sections import azureml
from stoker.engine.plugin.extras import install_command


def contests(ours_s: float, others_s: float) -> dict[str, Contest]:
    """A contest of each kind, in which the contenders took so long."""

    def one(other: str) -> Contest:
        return Contest(rounds={azureml.OURS: [[ours_s]], other: [[others_s]]}, failed={})

    alone = Contest(rounds={azureml.OURS: [[ours_s]]}, failed={})
    return {
        azureml.FIRST: one(azureml.SDK),
        azureml.AGAIN: one(azureml.SDK),
        azureml.DRY_RUN: alone,
        azureml.HELP: one("without the plugin"),
    }


@pytest.mark.parametrize(("ours_s", "met"), [(1.04, [True] * 4), (1.4, [True, True, True, False]), (2.1, [False] * 4)])
def test_each_target_is_a_ratio_but_for_the_dry_runs(ours_s: float, met: list[bool]) -> None:
    found = azureml.section(contests(ours_s, 1.0))
    assert [target.met for target in found.targets] == met
    assert [row[0] for row in found.rows] == [azureml.FIRST, azureml.AGAIN, azureml.DRY_RUN, azureml.HELP]
    assert found.rows[0][2:4] == [azureml.SDK, "1.00 s"]


def test_a_contender_that_failed_is_named_and_has_no_target() -> None:
    failed = Contest(rounds={azureml.SDK: [[1.0]]}, failed={azureml.OURS: "error: no workspace"})
    found = azureml.section({azureml.FIRST: failed})
    assert (found.rows, found.targets) == ([], [])
    assert "Failed: first submission, stoker: error: no workspace." in found.notes


def test_without_the_sdk_the_section_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azureml, "_installed", lambda package: "" if package == "azureml-core" else "1.0")
    found = azureml.measure(Bench(work=tmp_path, peers=sys.executable))
    assert found.notes == [f"Not measured: azureml-core not installed; {install_command('azureml')}"]


def test_the_sdk_alone_and_stoker_submit_to_a_new_workspace(tmp_path: Path) -> None:
    bench = Bench(work=tmp_path, peers=sys.executable)
    for name in (azureml.SDK, azureml.OURS):
        (took_s,) = azureml._first(bench, name)
        assert 0 < took_s < 60
