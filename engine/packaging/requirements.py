"""The names of distributions, whatever way they are spelled."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ALIASES = {
    **dict.fromkeys(
        (
            "intel-tensorflow",
            "tensorflow-aarch64",
            "tensorflow-cpu",
            "tensorflow-cpu-aws",
            "tensorflow-gpu",
            "tensorflow-intel",
            "tensorflow-macos",
            "tensorflow-rocm",
            "tf-nightly",
            "tf-nightly-cpu",
        ),
        "tensorflow",
    ),
    "keras-nightly": "keras",
    "mlflow-skinny": "mlflow",
}
"""Distributions that bring what another one brings."""


def canonical(name: str, aliases: Mapping[str, str] | None = None) -> str:
    """Returns the one name that all spellings of a distribution's name share.

    Args:
        name: The name, as somebody wrote it.
        aliases: {canonical name: the distribution that it stands for}, beside those that are always known.
    """
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return {**_ALIASES, **(aliases or {})}.get(plain, plain)
