"""Faults do what they say, as often as they were asked for, and to the requests that they are for."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from stoker.plugins.azureml_emulator import Emulator, FaultKind
from stoker.plugins.azureml_emulator.network.message import Response

from ..patience import PATIENCE_S
from .client import Client

PATH = "/experiments/made"


def make(client: Client) -> int:
    """Asks for an experiment to be made; the status."""
    return client.call("POST", "history/v1.0", PATH).status


def made(client: Client) -> bool:
    return client.call("GET", "history/v1.0", PATH).status == 200


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
def test_an_error_comes_instead_of_the_answer_and_nothing_is_done(
    status: int, client: Client, emulator: Emulator
) -> None:
    fault = emulator.fault("POST .*/experiments/", str(status))
    assert make(client) == status
    assert not made(client)
    assert make(client) == 200
    assert fault.hits == 1


def test_a_reset_before_loses_the_request(client: Client, emulator: Emulator) -> None:
    emulator.fault("POST .*/experiments/", FaultKind.RESET_BEFORE)
    with pytest.raises(OSError, match=r"reset|closed|EOF"):
        make(client)
    assert not made(client)


def test_a_reset_after_loses_the_answer_only(client: Client, emulator: Emulator) -> None:
    emulator.fault("POST .*/experiments/", FaultKind.RESET_AFTER)
    with pytest.raises(OSError, match=r"reset|closed|EOF"):
        make(client)
    assert made(client)


def test_a_time_out_never_answers_and_does_nothing(client: Client, emulator: Emulator) -> None:
    assert client.token
    emulator.fault("POST .*/experiments/", FaultKind.TIME_OUT)
    client.timeout_s = 0.3
    with pytest.raises(TimeoutError):
        make(client)
    client.timeout_s = PATIENCE_S
    assert not made(client)


def test_garbage_is_no_json(client: Client, emulator: Emulator) -> None:
    emulator.fault("GET .*/experiments/", FaultKind.GARBAGE)
    answer = client.call("GET", "history/v1.0", PATH)
    assert answer.status == 200
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        print(answer.json)


def test_slow_is_late_and_right(client: Client, emulator: Emulator) -> None:
    assert client.token
    emulator.fault("POST .*/experiments/", FaultKind.SLOW, slow_s=0.3)
    started = time.monotonic()
    assert make(client) == 200
    assert time.monotonic() - started >= 0.3


def test_a_fault_comes_as_often_as_asked_for_or_until_it_is_cleared(client: Client, emulator: Emulator) -> None:
    twice = emulator.fault("/experiments/", "500", times=2)
    assert [make(client) for _ in range(3)] == [500, 500, 200]
    ever = emulator.fault("/experiments/", "429", times=None)
    assert [make(client) for _ in range(3)] == [429, 429, 429]
    ever.clear()
    assert make(client) == 200
    assert (twice.hits, ever.hits) == (2, 3)


def test_a_fault_is_for_the_requests_that_fit(client: Client, emulator: Emulator) -> None:
    emulator.fault(r"DELETE |management\.azure\.com|/experiments/\w+\?", "500", times=None)
    assert make(client) == 200
    assert client.manage("GET", "").status == 500


def test_there_is_no_such_fault(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="418"):
        emulator.fault("/", "418")


RANGED = Response(status=206, body=b"abcde", headers={"Content-Length": "5", "Content-Range": "bytes 10-14/20"})


def test_a_short_range_is_half_of_what_was_asked_for_and_says_so() -> None:
    short = FaultKind.SHORT_RANGE.altered(RANGED)
    assert (short.body, dict(short.headers)) == (b"abc", {"Content-Length": "3", "Content-Range": "bytes 10-12/20"})
    assert FaultKind.SHORT_RANGE.altered(Response(body=b"all")) == Response(body=b"all")


def test_a_body_that_is_cut_has_the_length_of_the_whole() -> None:
    assert FaultKind.CUT.altered(RANGED) == replace(RANGED, body=b"abc")
    assert FaultKind.CUT.altered(Response(body=b"{}")) == Response(body=b"{", headers={"Content-Length": "2"})


def test_a_damaged_body_differs_in_one_byte() -> None:
    assert FaultKind.DAMAGED.altered(RANGED).body == b"`bcde"
    assert FaultKind.DAMAGED.altered(Response()) == Response()


def test_a_blob_without_a_digest_has_none_in_any_header() -> None:
    digests = {"Content-MD5": "1", "x-ms-blob-content-md5": "2"}
    bare = FaultKind.NO_DIGEST.altered(replace(RANGED, headers={**RANGED.headers, **digests}))
    assert bare == RANGED
