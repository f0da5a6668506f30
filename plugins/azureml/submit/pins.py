"""What a job needs at its node, in the versions that are installed here."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ....engine.packaging.requirements import canonical
from ....engine.plugin.extras import installed_version, providers

NEEDED = ("keras", "matplotlib", "numpy", "platformdirs", "pluggy", "requests", "tensorflow")
"""What stoker itself needs in a training process."""

SDK = "azureml-core"
MOUNTS = "azureml-dataset-runtime"
"""What a node mounts data sets with; `fuse` is the part of it that does."""

WITHOUT_IMGHDR = (3, 13)
"""From this Python on, the SDK lacks a module that the standard library had."""

ALIASES = {"azureml-defaults": SDK}
"""Distributions that bring the SDK."""


def pinned(requirements: Mapping[str, str]) -> dict[str, str]:
    """The distributions that a job needs, with the versions that are installed here; what isn't is left out."""
    found = dict(pin for name in NEEDED if (pin := _pin(name)))
    found |= {name: version for name in (SDK, MOUNTS) if (version := installed_version(name))}
    if sys.version_info >= WITHOUT_IMGHDR and (version := installed_version("standard-imghdr")):
        found["standard-imghdr"] = version
    ours = {canonical(name) for name in NEEDED}  # the user's code may name one by the distribution that is here
    others = {name: version for name, version in requirements.items() if canonical(name) not in ours}
    return dict(sorted({**others, **found}.items()))


def _pin(module: str) -> tuple[str, str] | None:
    """Returns what a node gets of a module that is installed here: its usual distribution, and the version.

    `tensorflow-macos` and the like are for this machine. A development version exists under its own name only. What
    stands behind "+" is a build of one's own, which no index has.
    """
    for name, full in providers(module).items():
        version = full.partition("+")[0]
        if name == module or ".dev" in version:
            return name, version
        return module, ".".join(version.split(".")[:3])  # tensorflow-rocm counts its own builds in a fourth number
    return None


def conda_text(pins: Mapping[str, str], *, gpu: bool) -> str:
    """The YAML: conda for Python itself, pip for the rest, whose versions are those of this machine's pip."""
    # The image has CUDA but not the cuDNN that this TensorFlow was built for; the extra brings both in the versions
    # that it was, whatever the image has.
    extras = dict.fromkeys(("tensorflow", "tf-nightly"), "[and-cuda]") if gpu else {}
    extras[MOUNTS] = "[fuse]"
    lines = [f"{name}{extras.get(name, '')}=={version}" for name, version in pins.items()]
    there = {canonical(name) for name in pins}
    lines += [name + extras.get(name, "") for name in (*NEEDED, SDK, MOUNTS) if canonical(name) not in there]
    if sys.version_info >= WITHOUT_IMGHDR and "standard-imghdr" not in pins:
        lines.append("standard-imghdr")
    head = f"python={sys.version_info.major}.{sys.version_info.minor}"  # conda lacks some patch releases
    return "\n".join(
        [
            "channels:",
            "  - conda-forge",
            "dependencies:",
            f"  - {head}",
            "  - pip",
            "  - pip:",
            *(f"      - {line}" for line in sorted(lines)),
            "",
        ]
    )
