"""Hides from a process what is installed here and would not be installed on the node."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping

from .requirements import canonical

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_ALWAYS = ("pip", "setuptools", "wheel", "packaging")
"""What any environment has."""

_HIDING = '''\
import re
import sys
from importlib import metadata

MODULES = frozenset({modules!r})
DISTRIBUTIONS = frozenset({distributions!r})


class Hidden:
    """Refuses modules that are installed on this machine only."""

    def find_spec(self, name, path=None, target=None):
        if path is None and name in MODULES:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None


ALL = metadata.MetadataPathFinder.find_distributions


def find_distributions(*context):
    """The distributions that are not hidden: no entry point of the others is seen."""
    return [each for each in ALL(*context) if re.sub(r"[-_.]+", "-", each.name or "").lower() not in DISTRIBUTIONS]


metadata.MetadataPathFinder.find_distributions = staticmethod(find_distributions)
sys.meta_path.insert(0, Hidden())
'''


def hide_undeclared_packages(listed: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Returns the text of a `sitecustomize.py` that hides what comes with none of the listed distributions.

    Args:
        listed: Distributions, by whatever spelling.
        aliases: {distribution: what it brings by another name}.
    """
    there = {canonical(name, aliases) for name in _closure(listed, aliases)}
    owners = importlib.metadata.packages_distributions()
    modules = [top for top, names in owners.items() if not there & {canonical(name, aliases) for name in names}]
    installed = {canonical(each.name, aliases) for each in importlib.metadata.distributions() if each.name}
    return _HIDING.format(modules=sorted(modules), distributions=sorted(installed - there))


def _closure(listed: Iterable[str], aliases: Mapping[str, str] | None) -> set[str]:
    """These distributions and all that they need, as far as they, or others that bring the same, are installed here."""
    here: dict[str, list[str]] = {}
    for each in importlib.metadata.distributions():
        if each.name:
            here.setdefault(canonical(each.name, aliases), []).append(each.name)
    waiting, found = [*listed, *_ALWAYS], set()
    while waiting:
        name = canonical(waiting.pop(), aliases)
        if name in found:
            continue
        found.add(name)
        needed = [each for own in here.get(name, ()) for each in importlib.metadata.requires(own) or ()]
        waiting += [match[1] for each in needed if "extra ==" not in each and (match := _REQUIREMENT.match(each))]
    return found
