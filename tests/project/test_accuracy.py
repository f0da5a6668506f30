"""The main job: the tutorial's network on the real MNIST, at the tutorial's settings."""

from __future__ import annotations

from pathlib import Path

from stoker.engine.runs.find import list_runs

from ..stoker_process import stoker


def test_mnist_at_the_tutorials_settings_reaches_what_plain_keras_reaches(tmp_path: Path):
    done = stoker("train", "--offline", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = list_runs(tmp_path / "runs")
    summary = run.summary()
    assert summary is not None
    assert summary.metrics["Final test accuracy"] >= 0.975
    assert run.job().epochs == 20
    environment = run.environment()
    assert environment is not None
    assert environment["dataset"]["name"] == "mnist"
