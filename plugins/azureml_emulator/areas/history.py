"""History: experiments, and queries for the runs in them."""

from __future__ import annotations

import re
from typing import Any

from ..network.message import Refusal, Request, Response, reply
from ..network.routes import Routes
from ..service import Service
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/history/v1.0{ws}")
_CLAUSE = re.compile(
    r"""(?P<field>\w+)(?:/(?P<name>\S+))? (?P<operator>eq|ne) (?P<value>null|"[^"]*"|'[^']*'|[\w.-]+)"""
)


@routes("GET", "/experiments/{experiment}")
def experiment(service: Service, request: Request) -> Response:
    """Describes an experiment.

    Raises:
        Refusal: There is no such experiment.
    """
    return reply(_dto(service.runs.experiment(request.parts["experiment"])))


@routes("POST", "/experiments/{experiment}")
def make_experiment(service: Service, request: Request) -> Response:
    """Makes an experiment, unless it exists."""
    return reply(_dto(service.runs.make_experiment(request.parts["experiment"])))


@routes("GET", "/experimentids/{experiment_id}")
def experiment_by_id(service: Service, request: Request) -> Response:
    """Describes an experiment by its id.

    Raises:
        Refusal: There is no such experiment.
    """
    return reply(_dto(service.runs.experiment_by_id(request.parts["experiment_id"])))


@routes("POST", "/experiments:query")
def list_experiments(service: Service, request: Request) -> Response:
    """Describes all experiments."""
    return reply({"value": [_dto(one) for one in service.runs.experiments()], "continuationToken": None})


@routes("POST", "/experiments/{experiment}/runs:query")
def query(service: Service, request: Request) -> Response:
    """Describes the runs of an experiment that fit all clauses of a filter, newest first.

    Raises:
        Refusal: The emulator does not know such a clause.
    """
    wanted = (request.json.get("filter") or "").split(" and ")
    clauses = [[_clause(text) for text in one.split(" or ")] for one in wanted if one]
    runs = [service.runs.dto(run) for run in service.runs.all(request.parts["experiment"])]
    found = [run for run in runs if all(any(_fits(run, one) for one in clause) for clause in clauses)]
    return reply({"value": found, "continuationToken": None})


@routes("GET", "/experiments/{experiment}/runs/{run}/children")
def children(service: Service, request: Request) -> Response:
    """Describes the runs that a run started."""
    runs = service.runs.all(request.parts["experiment"])
    found = [service.runs.dto(run) for run in runs if run.get("parentRunId") == request.parts["run"]]
    return reply({"value": found, "continuationToken": None})


def _clause(text: str) -> re.Match[str]:
    found = _CLAUSE.fullmatch(text.strip(" ()"))
    if not found:
        raise Refusal(400, "UnsupportedFilter", f"the emulator knows no filter like {text!r}")
    return found


def _fits(run: Record, clause: re.Match[str]) -> bool:
    value: Any = {key.lower(): value for key, value in run.items()}.get(clause["field"].lower())
    if clause["name"]:
        named = value or {}
        if clause["name"] not in named:
            return False  # so that `ne null or eq null`, which the SDK sends, asks whether the name exists
        value = named[clause["name"]]
    wanted = None if clause["value"] == "null" else clause["value"].strip("\"'")
    return ((None if value is None else str(value)) == wanted) == (clause["operator"] == "eq")


def _dto(found: Record) -> Record:
    return {**found, "description": None, "latestCreatedRunDto": None}
