"""Each service area, asked as the SDK asks it: who may, what is kept, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.tokens import Tokens

from .client import Client

BUNDLED = Path(__file__).resolve().parents[2] / "datasets" / "bundled"
WEB = "https://azureopendatastorage.blob.core.windows.net/mnist/"
NAME = "t10k-labels-idx1-ubyte.gz"


def signed(client: Client, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
    """Asks the storage account with a key."""
    address = f"https://{client.emulator.settings.blob}{path}"
    return client.send(method, address, body, Authorization="SharedKey account:signature", **headers)


def dataset(client: Client, text: str, *, new_version: bool = False) -> Any:
    asked = {"name": "d", "datasetType": "file", "latest": {"dataflow": text}}
    path = f"/datasets?ifExistsOk=true&updateDefinitionIfExists={str(new_version).lower()}"
    return client.call("POST", "dataset/v1.0", path, asked)


def test_a_wrong_secret_client_or_tenant_gets_no_token(client: Client) -> None:
    assert client.sign_in().status == 200
    wrong = client.sign_in(client_secret="wrong")
    assert (wrong.status, wrong.json["error_description"][:12]) == (401, "AADSTS700021")
    assert client.sign_in(client_id="wrong").json["error"] == "unauthorized_client"


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
def test_a_text_that_is_no_token_is_refused(token: str, client: Client) -> None:
    client.__dict__["token"] = token
    assert client.call("GET", "history/v1.0", "/runs/x").status == 401


def test_a_token_that_another_service_gave_is_refused(client: Client) -> None:
    client.__dict__["token"] = Tokens("another key", "tenant").issue()
    assert client.call("GET", "history/v1.0", "/runs/x").status == 401


def test_an_expired_token_is_refused(client: Client, emulator: Emulator) -> None:
    client.__dict__["token"] = emulator.service.tokens.issue(lifetime_s=-1)
    assert client.call("GET", "history/v1.0", "/runs/x").status == 401


def test_another_workspace_is_not_found(client: Client, emulator: Emulator) -> None:
    other = emulator.settings.scope.replace("/workspaces/emulator", "/workspaces/other")
    answer = client.send("GET", f"https://management.azure.com{other}", Authorization=f"Bearer {client.token}")
    assert (answer.status, answer.code) == (404, "ResourceNotFound")


def test_what_the_emulator_does_not_know_is_not_found_and_recorded(client: Client, emulator: Emulator) -> None:
    answer = client.call("GET", "nonsense/v9", "/x")
    last = emulator.requests[-1]
    assert (last.method, last.host, last.status, last.blocked) == ("GET", emulator.settings.api, 404, False)
    assert (answer.status, last.size) == (404, len(answer.body))


@pytest.mark.parametrize("body", [None, [], {"latest": {}}, "text"])
def test_a_body_that_is_not_as_expected_is_refused(body: Any, client: Client) -> None:
    refused = client.call("POST", "dataset/v1.0", "/datasets", body)
    assert (refused.status, refused.code) == (400, "InvalidRequest")


def test_a_body_that_is_no_json_is_refused(client: Client, emulator: Emulator) -> None:
    address = f"https://{emulator.settings.api}/dataset/v1.0{emulator.settings.scope}/datasets"
    assert client.send("POST", address, b"{", Authorization=f"Bearer {client.token}").code == "InvalidJson"


def test_a_connection_to_another_host_is_refused_and_counted(client: Client, emulator: Emulator) -> None:
    with pytest.raises(OSError, match="403"):
        client.send("POST", "https://dc.services.visualstudio.com/v2/track", b"{}")
    assert [(one.method, one.host) for one in emulator.blocked] == [("CONNECT", "dc.services.visualstudio.com")]


def test_a_plain_request_to_another_host_is_refused_and_counted(client: Client, emulator: Emulator) -> None:
    assert client.send("GET", "http://example.com/x").status == 403
    assert [(one.method, one.host, one.path) for one in emulator.blocked] == [("GET", "example.com", "/x")]


def test_a_definition_again_is_the_same_version_and_another_takes_a_new_one(client: Client) -> None:
    assert dataset(client, '{"a": 1}').json["latest"]["versionId"] == "1"
    assert dataset(client, '{"a":1}').json["latest"]["versionId"] == "1"
    assert dataset(client, '{"a": 2}').code == "DatasetNameInUse"
    assert dataset(client, '{"a": 2}', new_version=True).json["latest"]["versionId"] == "2"
    newest = client.call("GET", "dataset/v1.0", "/datasets/query/name=d").json["latest"]
    first = client.call("GET", "dataset/v1.0", "/datasets/query/name=d?versionId=1").json["latest"]
    assert (newest["dataflow"], first["dataflow"]) == ('{"a": 2}', '{"a": 1}')
    assert client.call("GET", "dataset/v1.0", "/datasets/query/name=d?versionId=3").status == 404


def test_a_snapshot_takes_from_its_parent_what_was_not_sent(client: Client) -> None:
    assert client.upload({"a": b"1", "sub/b": b"2"}).status == 200
    tree = {"type": "Directory", "children": {name: {"type": "File", "children": {}} for name in ("a", "c")}}
    assert client.upload({"c": b"3"}, parent="snapshot-1", tree=tree).status == 200
    assert client.call("GET", "content/v2.0", "/snapshots/snapshot-2/metadata").json["files"] == ["a", "c"]
    assert client.upload({"c": b"3"}, tree=tree).code == "MissingFiles"


def test_a_snapshot_that_is_too_large_or_has_too_many_files_is_refused(tmp_path: Path) -> None:
    with Emulator(tmp_path, snapshot_bytes=10, snapshot_files=3) as emulator:
        client = Client(emulator=emulator)
        assert client.upload({"a": b"x" * 10}).status == 200
        assert client.upload({"a": b"x" * 10, "b": b"y"}).code == "SnapshotSizeExceeded"
        assert client.upload(dict.fromkeys("abcd", b"")).code == "SnapshotFileCountExceeded"


def test_the_limits_of_snapshots_are_those_of_azure(emulator: Emulator) -> None:
    assert (emulator.settings.snapshot_bytes, emulator.settings.snapshot_files) == (300 * 2**20, 2000)


def test_open_data_is_served_from_the_bundled_files(client: Client) -> None:
    assert client.send("GET", WEB + NAME).body == (BUNDLED / NAME).read_bytes()
    part = client.send("GET", WEB + NAME, Range="bytes=0-1")
    assert (part.status, part.body) == (206, b"\x1f\x8b")
    assert int(client.send("HEAD", WEB + NAME).headers["Content-Length"]) == (BUNDLED / NAME).stat().st_size
    assert client.send("GET", WEB + "NOTICE.txt").status == 404
    assert client.send("GET", WEB + "..%2F..%2Fpyproject.toml").status == 404


def test_a_blob_is_written_whole_by_blocks_or_as_a_copy(client: Client) -> None:
    assert signed(client, "PUT", "/c/a%20b", b"whole", x_ms_meta_k="v").status == 201
    for block in ("MQ==", "Mg=="):
        assert signed(client, "PUT", f"/c/big?comp=block&blockid={block}", block.encode()).status == 201
    listed = b"<BlockList><Latest>Mg==</Latest><Latest>MQ==</Latest></BlockList>"
    assert signed(client, "PUT", "/c/big?comp=blocklist", listed).status == 201
    assert signed(client, "GET", "/c/big").body == b"Mg==MQ=="
    source = f"https://{client.emulator.settings.blob}/c/a%20b"
    assert signed(client, "PUT", "/c/copy", b"", x_ms_copy_source=source).headers["x-ms-copy-status"] == "success"
    copy = signed(client, "GET", "/c/copy")
    assert (copy.body, copy.headers["x-ms-meta-k"]) == (b"whole", "v")
    assert signed(client, "PUT", "/c/big", b"", If_None_Match="*").status == 409
    assert signed(client, "PUT", "/c/bad", b"x", Content_MD5="bm8=").headers["x-ms-error-code"] == "Md5Mismatch"
    assert signed(client, "DELETE", "/c/big").status == 202
    assert signed(client, "GET", "/c/big").status == 404


def test_blobs_are_listed_in_pages_and_by_folder(client: Client) -> None:
    for name in ("a/1", "a/2", "b", "c%26"):
        signed(client, "PUT", f"/c/{name}", b"x")
    listed = signed(client, "GET", "/c?restype=container&comp=list&maxresults=2").body.decode()
    assert [name in listed for name in ("<Name>a/1<", "<Name>a/2<", "<Name>b<")] == [True, True, False]
    assert "<NextMarker>b</NextMarker>" in listed
    listed = signed(client, "GET", "/c?restype=container&comp=list&marker=b").body.decode()
    assert [name in listed for name in ("a/1", "<Name>b<", "<Name>c&amp;<")] == [False, True, True]
    listed = signed(client, "GET", "/c?restype=container&comp=list&delimiter=/").body.decode()
    assert "<BlobPrefix><Name>a/</Name></BlobPrefix>" in listed
    assert "a/1" not in listed


def test_a_blob_wants_a_signature_and_a_signed_address_is_for_one_blob(client: Client, emulator: Emulator) -> None:
    emulator.service.storage.put("c", "a", b"secret")
    address = emulator.service.storage.url("c", "a")
    assert client.send("GET", address).body == b"secret"
    assert client.send("GET", address.replace("/c/a?", "/c/b?")).status == 403
    assert client.send("GET", address.partition("?")[0]).status == 401


def test_a_registered_model_counts_its_versions_and_its_tags_can_change(client: Client) -> None:
    for _ in range(2):
        model = client.call("POST", "modelmanagement/v1.0", "/models", {"name": "m", "url": "u"}).json
    assert (model["id"], model["version"]) == ("m:2", 2)
    step = [{"op": "add", "path": "/kvTags/best", "value": "yes"}]
    assert client.call("PATCH", "modelmanagement/v1.0", "/models/m:2", step).status == 200
    found = client.call("GET", "modelmanagement/v1.0", "/models?tags=best%3Dyes").json["value"]
    assert [one["id"] for one in found] == ["m:2"]
    newest = client.call("GET", "modelmanagement/v1.0", "/models?name=m&count=1").json["value"]
    assert [one["id"] for one in newest] == ["m:2"]


def test_an_environment_that_is_unchanged_keeps_its_version(client: Client) -> None:
    put = [client.call("PUT", "environment/v1.0", "/environments/e", {"python": value}).json for value in (1, 1, 2)]
    assert [one["version"] for one in put] == ["1", "1", "2"]
    assert client.call("GET", "environment/v1.0", "/environments/e").json["python"] == 2


def test_a_client_may_log_a_run_of_its_own_and_end_it(client: Client) -> None:
    client.call("POST", "history/v1.0", "/experiments/e")
    path = "/experiments/e/runs/mine"
    assert client.call("PATCH", "history/v1.0", path, {"tags": {"a": "b"}}).json["status"] == "NotStarted"
    client.call("POST", "history/v1.0", f"{path}/events", {"name": "Microsoft.MachineLearning.Run.Start"})
    value = {"name": "Loss", "columns": {"Loss": "double"}, "value": [{"data": {"Loss": 1.5}}], "properties": {}}
    assert client.call("POST", "metric/v2.0", "/runs/mine/batch", {"values": [value]}).json == {"errors": []}
    assert client.call("POST", "metric/v2.0", "/runs/mine/full", {"metricName": "Loss"}).json["value"] == value["value"]
    assert client.call("POST", "metric/v2.0", "/runs/mine/full", {"metricName": "No"}).status == 404
    client.call("POST", "history/v1.0", f"{path}/events", {"name": "Microsoft.MachineLearning.Run.Completed"})
    run = client.run("mine")
    assert (run["status"], run["tags"]) == ("Completed", {"a": "b"})


def test_a_file_of_a_run_is_not_replaced(client: Client, emulator: Emulator) -> None:
    asked = {"paths": [{"path": "a.png"}]}
    path = "/artifacts/batch/metadata/ExperimentRun/dcid.r"
    content = client.call("POST", "artifact/v2.0", path, asked).json["artifactContentInformation"]["a.png"]
    assert client.send("PUT", content["contentUri"], b"png").status == 201
    assert client.call("POST", "artifact/v2.0", path, asked).code == "ArtifactAlreadyExists"
    assert client.call("GET", "artifact/v2.0", "/artifacts/ExperimentRun/dcid.r").json["value"][0]["path"] == "a.png"
