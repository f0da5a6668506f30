"""Another process that has a backend: what it finds, and how it is killed half-way."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import BackendError, InputError, StokerError

MARK = "answer of the other process: "
"""How the line of the answer begins, for a backend may print too."""

_START = """
import json, sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
spec = ModuleSpec("stoker", None, is_package=True)
spec.submodule_search_locations = given["stoker"]
sys.modules["stoker"] = module_from_spec(spec)
from stoker.engine.testing.backend import elsewhere
elsewhere.main(given)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """Starts a process for each action; it has the modules of this one, and nothing of its memory.

    Attributes:
        case: The test class, which makes the backend there too.
        folder: Where the process is started.
        patience_s: How long it may take.
    """

    case: type
    folder: Path
    patience_s: float

    def ask(self, action: str, **arguments: Any) -> Any:
        """Returns what the process answers.

        Raises:
            BackendError, InputError, StokerError: It was raised there.
            AssertionError: It did not answer, or something else was raised there.
        """
        code, answer, errors = self.run(action, **arguments)
        assert code == 0, f"{action} in another process ended with {code}: {errors}"
        kinds = {"BackendError": BackendError, "InputError": InputError, "StokerError": StokerError}
        if answer.get("error") in kinds:
            raise kinds[answer["error"]](answer["message"])
        assert "error" not in answer, f"{action} in another process raised {answer['error']}: {answer['message']}"
        return answer["value"]

    def run(self, action: str, **arguments: Any) -> tuple[int, dict[str, Any], str]:
        """Returns how the process ended, its last answer ({} if there is none), and its stderr."""
        given = {
            "path": sys.path,
            "stoker": list(sys.modules["stoker"].__path__),
            "module": self.case.__module__,
            "file": inspect.getfile(self.case),
            "case": self.case.__qualname__,
            "action": action,
            "arguments": arguments,
        }
        done = subprocess.run(
            [sys.executable, "-c", _START, json.dumps(given)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.patience_s * 2,
            check=False,
        )
        answers = [line.removeprefix(MARK) for line in done.stdout.split("\n") if line.startswith(MARK)]
        return done.returncode, json.loads(answers[-1]) if answers else {}, done.stderr
