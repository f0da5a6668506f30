"""The package of a job: what a backend sends that brings the user's code, or stoker itself, elsewhere."""

from __future__ import annotations

from .packaging.entry import Entry
from .packaging.layout import package_documents
from .packaging.limits import Limits
from .packaging.package import Package

__all__ = ["Entry", "Limits", "Package", "package_documents"]
