"""How large a package may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError

_LARGEST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a service takes.

    Attributes:
        bytes: At most so many, of all files together.
        files: At most so many.
        service: Its name, for people.
    """

    bytes: int
    files: int
    service: str

    def refuse(self, sizes: Mapping[str, int], ignore_file: str) -> None:
        """Refuses a package that is too large.

        Args:
            sizes: {path in the package: size in bytes}.
            ignore_file: What the file is called that keeps others out of it.

        Raises:
            InputError: It names the largest files.
        """
        total = sum(sizes.values())
        if total <= self.bytes and len(sizes) <= self.files:
            return
        largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:_LARGEST]
        raise InputError(
            f"the package is larger than {self.service} takes",
            received=f"{total / 1e6:,.1f} MB in {len(sizes):,} files; the largest: "
            + ", ".join(f"{path} ({sizes[path] / 1e6:,.1f} MB)" for path in largest),
            expected=f"at most {self.bytes / 1e6:,.0f} MB in {self.files:,} files",
            hint=f"keep data out of it: put them into --data-folder, or name them in {ignore_file}",
        )
