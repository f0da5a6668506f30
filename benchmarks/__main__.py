"""Measures stoker against other ways to train the same network: `python benchmarks [SECTION …]`; see `make bench`."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Files of this folder and of the checkout must not hide installed packages of the same names.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() not in {HERE, HERE.parent}]
_spec = ModuleSpec("stoker", None, is_package=True)
_spec.submodule_search_locations = [str(HERE.parent)]
sys.modules["stoker"] = module_from_spec(_spec)


def main(argv: list[str]) -> int:
    """Runs the benchmarks, or what they start in processes of its own: `peer NAME …`, `start`."""
    if argv[:1] == ["peer"]:
        from stoker.benchmarks import peer

        return peer.main(argv[1:])
    if argv == ["start"]:
        from stoker.benchmarks import starting

        return starting.main()
    from stoker.benchmarks import command

    return command.main(argv)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
