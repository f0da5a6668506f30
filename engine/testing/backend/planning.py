"""Plans: values that a backend makes without touching anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

import pytest

from ...backend import LIMITS, Plan
from .case import BackendCase, Place


class Planning(BackendCase):
    """A plan, and what a backend says of itself."""

    def test_the_backend_says_what_it_can_not_do_in_known_words(self) -> None:
        limits = self.make_backend().limits
        assert isinstance(limits, Mapping)
        assert set(limits) <= set(LIMITS), f"known are {', '.join(LIMITS)}"
        assert all(isinstance(reason, str) and reason.strip() for reason in limits.values()), limits

    def test_the_backend_says_how_often_to_look_and_where_data_are_read(self) -> None:
        backend = self.make_backend()
        assert 0 < backend.poll_s <= 60
        assert isinstance(backend.runs_here, bool)

    def test_a_plan_is_made_of_plain_values(self) -> None:
        plan = self.make_backend().plan(self.job("succeed"))
        assert isinstance(plan, Plan)
        assert plan.backend.isidentifier() or plan.backend.replace("-", "").isalnum()
        assert plan.steps
        assert all(isinstance(text, str) and text.strip() for text in (*plan.steps, *plan.warnings))
        assert all(isinstance(size, int) and size >= 0 for size in plan.files.values())
        assert all(isinstance(content, bytes) for content in plan.documents.values())
        assert json.loads(json.dumps(asdict(replace(plan, documents={}))))["steps"] == list(plan.steps)

    def test_a_plan_has_its_documents_below_the_folder_for_them(self) -> None:
        names = [PurePosixPath(name) for name in self.make_backend().plan(self.job("succeed")).documents]
        assert [name for name in names if name.is_absolute() or ".." in name.parts or not name.parts] == []

    def test_a_plan_names_the_backend_as_its_handles_do(self, place: Place) -> None:
        one = self.ended(place, "succeed")
        assert self.make_backend().plan(one.job).backend == one.handle.backend

    def test_a_plan_is_the_same_when_it_is_made_again(self) -> None:
        plans = [self.make_backend().plan(self.job("succeed")) for _ in range(2)]
        assert plans[0] == plans[1]

    def test_a_plan_touches_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        tally = tmp_path / "tally"
        job = self.job("succeed", payload_tally=str(tally))
        before = job.to_json()
        self.make_backend().plan(job)
        assert list(tmp_path.iterdir()) == []
        assert job.to_json() == before
