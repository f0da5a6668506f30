"""The benchmarks: how contenders take turns, what is made of the measurements, and that the contenders train."""

from __future__ import annotations

import importlib.util
import json
import py_compile
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.benchmarks import command, phases, process, report
from stoker.benchmarks.bench import Bench
from stoker.benchmarks.contest import ContenderError, Contest, hold
from stoker.benchmarks.machine import describe, in_words
from stoker.benchmarks.peer import load
from stoker.benchmarks.section import Section, Target
from stoker.benchmarks.sections import batch, epoch, heavy
from stoker.benchmarks.task import Task
from tests import tiny  # type: ignore[import-not-found, unused-ignore]

FOLDER = Path(command.__file__).resolve().parent
PEERS = sorted(path.stem for path in (FOLDER / "peers").glob("*.py") if path.stem != "networks")
