"""Names and JSON values that no user intends and that programs meet anyway."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

settings.register_profile("busy machine", deadline=None)  # an example may take its time where other tests run too
settings.load_profile("busy machine")

NAMES = [
    "with space",
    "quo'te\"s",
    "semi;colon && true",
    "new\nline",
    "größe-模型-e\u0301",
    "-leading-dash",
    "%20$HOME`id`",
    "x" * 200,
]
"""Names that a file system takes."""

OTHER_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)
"""Any JSON value."""


def near(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects like `good`, with other values in some places, without some, with some more."""
    change = st.dictionaries(st.sampled_from(sorted(good)) | st.text(max_size=5), OTHER_VALUES, max_size=3)
    kept = st.sets(st.sampled_from(sorted(good)))
    return st.builds(lambda names, more: {name: good[name] for name in names} | more, kept, change)
