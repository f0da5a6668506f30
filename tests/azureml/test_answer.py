"""The JSON of a service: what is missing or odd is named, with what was asked; nothing ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from stoker.engine.errors import BackendError
from stoker.plugins.azureml.cluster import provision
from stoker.plugins.azureml.cluster.cluster import Cluster
from stoker.plugins.azureml.rest.answer import entries, parse, part, text, whole
from stoker.plugins.azureml.runs.status import status_of

WHERE = "GET host/…/runs/x"


def test_what_is_there_is_returned():
    value = parse(WHERE, b'{"a": {"b": 1}, "list": [{"c": "7"}], "null": null, "word": "w"}')
    assert part(value, "a")["b"] == whole(part(value, "a"), "b") == 1
    assert [whole(one, "c") for one in entries(value, "list")] == [7]
    assert (part(value, "null"), part(value, "none"), entries(value, "null")) == ({}, {}, [])
    assert (text(value, "word"), whole(value, "none", 3), whole(value, "null", 3)) == ("w", 3, 3)
    assert parse(WHERE, b"") == {}


@pytest.mark.parametrize(
    ("content", "read", "field"),
    [
        (b"{}", lambda value: value["id"], "id"),
        (b'{"a": {}}', lambda value: value["a"]["b"], "b"),
        (b'{"a": [{}]}', lambda value: entries(value, "a")[0]["b"], "b"),
        (b'{"a": "text"}', lambda value: part(value, "a"), "a"),
        (b'{"a": {}}', lambda value: entries(value, "a"), "a"),
        (b'{"a": [1]}', lambda value: entries(value, "a"), "a"),
        (b'{"a": "one"}', lambda value: whole(value, "a"), "a"),
        (b'{"a": "one"}', lambda value: whole(value, "a", 0), "a"),
        (b'{"a": 1e400}', lambda value: whole(value, "a"), "a"),
        (b"{}", lambda value: whole(value, "a"), "a"),
        (b"{}", lambda value: text(value, "a"), "a"),
        (b'{"a": ""}', lambda value: text(value, "a"), "a"),
        (b'{"a": 7}', lambda value: text(value, "a"), "a"),
        (b"{}", lambda value: text(part(value, "a"), "b"), "b"),
        (b'{"a": null}', lambda value: part(value, "a")["b"], "b"),
        (b'{"tags": 5}', Cluster.of, "tags"),
        (b'{"properties": {"properties": {"errors": "none"}}}', Cluster.of, "errors"),
        (b'{"properties": {"nodeStateCounts": []}}', provision.nodes, "nodeStateCounts"),
        (b'{"status": "Failed", "error": "lost"}', lambda value: status_of(value, 1), "error"),
    ],
)
def test_what_is_odd_is_an_error_with_its_field(content: bytes, read: Callable[[Mapping[str, Any]], Any], field: str):
    with pytest.raises(BackendError, match=f"^{WHERE}: the answer has an odd field '{field}'") as caught:
        read(parse(WHERE, content))
    assert caught.value.received
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"[]", b"1", b"<html>", b"{", b"null", b'{"a":' * 100_000])
def test_what_is_no_object_is_refused(content: bytes):
    with pytest.raises(ValueError, match=r"object|Expecting|nested"):
        parse(WHERE, content)
