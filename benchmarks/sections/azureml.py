"""What Azure ML costs this machine: a submission beside the SDK's own calls, a dry run, and `--help`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.files import make_folder
from ...engine.plugin.extras import install_command
from ..bench import Bench
from ..commands import environment
from ..contest import Contest, hold
from ..process import run
from ..section import Section, Target, seconds, times

if TYPE_CHECKING:
    from ...plugins.azureml_emulator import Emulator

TITLE = "Azure ML: whole commands of the client, against an emulator"
NEEDED = ("azureml-core", "azureml-dataset-runtime", "cryptography")
OURS, SDK = "stoker", "the SDK alone"
FIRST, AGAIN, DRY_RUN, HELP = "first submission", "the same again", "dry run", "stoker --help"
_HERE = Path(__file__).resolve().parents[1]
_CLI = _HERE.parent / "cli.py"
_TRAIN = (_CLI, "train", "--backend", "azureml")
_SUBMIT = {OURS: (*_TRAIN, "--detach"), SDK: (_HERE / "submission.py",)}
_WITHOUT = "without the plugin"
_PLANS = {OURS: (*_TRAIN, "--dry-run")}
_HELPS = {OURS: (_CLI, "--help"), _WITHOUT: (_CLI, "-p", "no:azureml", "--help")}
_ROUNDS = {FIRST: 7, AGAIN: 7, DRY_RUN: 7, HELP: 21}
_FOREVER_S = 3600.0
"""How long a node takes to start: no job takes the processor from a client."""

Commands = Mapping[str, Sequence[str | Path]]


def measure(bench: Bench) -> Section:
    """Measures each; nothing if a package is missing."""
    missing = [name for name in NEEDED if not _installed(name)]
    if missing:
        note = f"Not measured: {' and '.join(missing)} not installed; {install_command('azureml')}"
        return Section(name="azureml", title=TITLE, columns=("what", "stoker"), rows=[], notes=[note])
    with ExitStack() as clouds:
        contests = {
            FIRST: hold(_SUBMIT, _ROUNDS[FIRST], lambda name: _first(bench, name)),
            AGAIN: _again(bench, clouds),
            DRY_RUN: hold(_PLANS, _ROUNDS[DRY_RUN], lambda name: _nowhere(bench, _PLANS[name])),
            HELP: hold(_HELPS, _ROUNDS[HELP], lambda name: _nowhere(bench, _HELPS[name])),
        }
    return section(contests)


def section(contests: Mapping[str, Contest]) -> Section:
    """What the contests gave, as a section."""
    failed = [f"{what}, {who}: {why}" for what, one in contests.items() for who, why in one.failed.items()]
    return Section(
        name="azureml",
        title=TITLE,
        columns=("what", "stoker", "beside", "that takes", "stoker / that"),
        rows=[_row(what, contest) for what, contest in contests.items() if OURS in contest.rounds],
        notes=[
            f"{', '.join(f'{what}: {count} rounds' for what, count in _ROUNDS.items())}, in turn; each a new process.",
            "The SDK alone does the tutorial's calls: workspace, data set, cluster, environment, submit, status. A "
            "first submission finds an empty workspace; the same again finds data set, cluster and files there.",
            "The emulator answers from another process on the same machine, in a few milliseconds; no job runs. "
            f"azureml-core {_installed(NEEDED[0])}.",
            *(f"Failed: {text}." for text in failed),
        ],
        targets=[target for what, contest in contests.items() for target in _targets(what, contest)],
        data={what: contest.to_json() for what, contest in contests.items()},
    )


def _row(what: str, contest: Contest) -> list[str]:
    cells = [what, seconds(contest.median(OURS))]
    other = next(iter(contest.rounds.keys() - {OURS}), None)
    if other is None:
        return [*cells, "", "", ""]
    ratio = contest.ratio(OURS, other)
    return [
        *cells,
        other,
        seconds(contest.median(other)),
        f"{times(ratio.value)} ({ratio.low:.2f} to {ratio.high:.2f})",
    ]


def _targets(what: str, contest: Contest) -> list[Target]:
    limits = {FIRST: (SDK, 1.5), AGAIN: (SDK, 1.5), HELP: (_WITHOUT, 1.05)}
    if what == DRY_RUN and OURS in contest.rounds:
        text = "a dry run for Azure ML"
        return [Target(what=text, measured=contest.median(OURS), limit=2.0, least=False, unit=" s")]
    other, limit = limits.get(what, ("", 0.0))
    if not {OURS, other} <= contest.rounds.keys():
        return []
    ratio = contest.ratio(OURS, other).value
    return [Target(what=f"{what}, in that of {other}", measured=ratio, limit=limit, least=False)]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _nowhere(bench: Bench, command: Sequence[str | Path]) -> list[float]:
    """Seconds of a command that needs no workspace."""
    folder = make_folder(bench.work / "azureml" / "nowhere")
    return [run([sys.executable, *command], folder, environment(bench)).seconds]


def _first(bench: Bench, name: str) -> list[float]:
    """Seconds of a submission to a new workspace."""
    with _cloud(bench) as emulator:
        return [_submit(bench, name, emulator)]


def _again(bench: Bench, clouds: ExitStack) -> Contest:
    """Submissions to workspaces that each contender has submitted the same to before."""
    kept = {name: clouds.enter_context(_cloud(bench)) for name in _SUBMIT}

    def once(name: str) -> list[float]:
        if not kept[name].service.runs.all():
            _submit(bench, name, kept[name])
        return [_submit(bench, name, kept[name])]

    return hold(_SUBMIT, _ROUNDS[AGAIN], once)


def _cloud(bench: Bench) -> Emulator:
    """A new workspace; it answers in this process, which only waits while a client runs in one of its own."""
    from ...plugins.azureml_emulator import Emulator

    place = make_folder(bench.work / "azureml")
    folder = make_folder(place / f"cloud {len(list(place.glob('cloud *')))}")
    return Emulator(folder, scale_up_s=_FOREVER_S, prepare_s=0.0)


def _submit(bench: Bench, name: str, emulator: Emulator) -> float:
    """Seconds of a submission; the run is taken out of the queue then."""
    folder = make_folder(bench.work / "azureml" / f"client of {emulator.service.workspace_id}")
    emulator.write_config(folder)
    variables = environment(bench) | emulator.client_environment()
    took = run([sys.executable, *_SUBMIT[name]], folder, variables).seconds
    for one in emulator.service.runs.all():
        emulator.service.jobs.cancel(one["runId"])
    return took
