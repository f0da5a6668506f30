"""A workspace whose services answer as oddly as their protocols allow: what is odd about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker.plugins.azureml_emulator import Emulator

from .client import Answer, Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of an odd workspace with three models."""
    with Emulator(tmp_path / "azure", odd=True) as emulator:
        for version in (1, 2, 3):
            model = {
                "id": f"m:{version}",
                "name": "m",
                "version": version,
                "createdTime": "",
                "kvTags": {},
                "url": None,
            }
            emulator.service.store.put("models", model["id"], model)
        yield Client(emulator=emulator)


def models(client: Client, more: str = "") -> Answer:
    return client.call("GET", "modelmanagement/v1.0", f"/models?name=m{more}")


def test_the_first_request_of_each_kind_finds_a_busy_service(client: Client) -> None:
    busy, served = models(client), models(client)
    assert (busy.status, busy.headers["Retry-After"], served.status) == (429, "1", 200)
    answers = [client.call("GET", "datastore/v1.0", "/default") for _ in range(2)]
    assert [(one.status, one.headers["Retry-After"]) for one in answers] == [(503, "1"), (200, None)]


def test_a_token_has_ended_once_where_whoever_asks_renews_it(client: Client) -> None:
    statuses = [models(client).status for _ in range(40)]
    assert (statuses.count(429), statuses.count(401), statuses.count(200)) == (1, 1, 38)
    assert 401 not in {client.call("GET", "datastore/v1.0", "/default").status for _ in range(40)}


def test_models_come_oldest_first_two_a_page_and_without_what_is_null_or_empty(client: Client) -> None:
    models(client)
    page = models(client).json
    assert [one["version"] for one in page["value"]] == [1, 2]
    assert set(page["value"][0]) == {"id", "name", "version", "createdTime"}
    assert "skipToken=2" in page["nextLink"]
    assert [one["version"] for one in models(client, "&latestVersionOnly=true").json["value"]] == [3]


def test_the_datastore_has_no_key(client: Client) -> None:
    client.call("GET", "datastore/v1.0", "/default")
    section = client.call("GET", "datastore/v1.0", "/default").json["azureStorageSection"]
    assert section["credentialType"] == "None"
    assert not {"accountKey", "credential", "sasToken"} & section.keys()


def test_runs_name_another_host_to_cancel_them_at_or_none(client: Client) -> None:
    runs = client.emulator.service.runs
    answers = [runs.dto(runs.create(name, "e")) for name in ("one", "two", "three")]
    other = f"https://emulator.workspace.{client.emulator.settings.api}/"
    assert [str(one["cancelUri"] or "").startswith(other) for one in answers] == [True, False, True]
    address = answers[0]["cancelUri"]
    statuses = [client.send("POST", address, b"", Authorization=f"Bearer {client.token}").status for _ in range(2)]
    assert statuses == [503, 200]
