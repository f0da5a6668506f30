"""The plugin of the conformance suite runs the payloads that jobs ask for, and leaves the training as it is."""

from __future__ import annotations

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.testing.backend import payload_plugin, payloads
from stoker.engine.training import train


def test_loading_it_replaces_nothing():
    assert train.run.__module__ == train.__name__


@pytest.mark.parametrize(("options", "runs_payload"), [({payloads.OPTION: "succeed"}, True), ({}, False)])
def test_it_runs_a_job_that_asks_for_a_payload_and_no_other(options: dict[str, str], runs_payload: bool):
    plugins = Plugins.load([payloads.PLUGIN])
    runner = plugins.runner(TrainJob(plugins=(payloads.PLUGIN,), options=options))
    assert runner is (payload_plugin.run if runs_payload else None)


def test_without_it_a_job_that_asks_for_a_payload_is_trained():
    assert Plugins.load([]).runner(TrainJob(options={payloads.OPTION: "succeed"})) is None


def test_it_has_no_problems_and_shows_no_hook_of_the_contract():
    record = Plugins.load([payloads.PLUGIN]).records[-1]
    assert (record.problems, record.hooks) == ([], ())
