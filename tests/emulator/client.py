"""A client of a few lines that speaks to the emulator as the SDK does, without the seconds that importing it takes."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stoker.plugins.azureml_emulator import Emulator

from ..patience import PATIENCE_S


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass(kw_only=True)
class Client:
    """Asks the services of an emulator."""

    emulator: Emulator
    timeout_s: float = PATIENCE_S
    snapshot: int = field(default=0)

    @cached_property
    def opener(self) -> urllib.request.OpenerDirector:
        environment = self.emulator.client_environment()
        trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=environment["SSL_CERT_FILE"]))
        proxy = urllib.request.ProxyHandler({"https": environment["HTTPS_PROXY"], "http": environment["HTTP_PROXY"]})
        return urllib.request.build_opener(trusted, proxy)

    @cached_property
    def token(self) -> str:
        return str(self.sign_in().json["access_token"])

    def sign_in(self, **changed: str) -> Answer:
        settings = self.emulator.settings
        form = {"client_id": settings.client_id, "client_secret": settings.client_secret, **changed}
        form |= {"grant_type": "client_credentials", "scope": "https://management.azure.com/.default"}
        address = f"https://login.microsoftonline.com/{settings.tenant_id}/oauth2/v2.0/token"
        return self.send("POST", address, urllib.parse.urlencode(form).encode())

    def send(self, method: str, address: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(address, data=body, method=method, headers=named)
        try:
            with self.opener.open(request, timeout=self.timeout_s) as answer:
                return Answer(status=answer.status, body=answer.read(), headers=answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, body=error.read(), headers=error.headers)

    def call(self, method: str, service: str, path: str, value: Any = None) -> Answer:
        """Asks a service of the workspace: `service` comes before the workspace's scope, `path` after it."""
        settings = self.emulator.settings
        body = None if value is None else json.dumps(value).encode()
        address = f"https://{settings.api}/{service}{settings.scope}{path}"
        return self.send(method, address, body, Authorization=f"Bearer {self.token}")

    def manage(self, method: str, path: str, value: Any = None) -> Answer:
        """Asks Azure Resource Manager about the workspace."""
        body = None if value is None else json.dumps(value).encode()
        address = f"https://management.azure.com{self.emulator.settings.scope}{path}"
        return self.send(method, address, body, Authorization=f"Bearer {self.token}")

    def cluster(self, name: str, *, size: str = "Standard_NC4as_T4_v3", most: int = 1, **more: Any) -> Answer:
        """Makes a cluster."""
        scale = {"minNodeCount": 0, "maxNodeCount": most, "nodeIdleTimeBeforeScaleDown": more.pop("idle", "PT120S")}
        asked = {"vmSize": size, "vmPriority": "dedicated", "scaleSettings": {**scale, **more.pop("scale", {})}, **more}
        return self.manage(
            "PUT", f"/computes/{name}", {"properties": {"computeType": "AmlCompute", "properties": asked}}
        )

    def compute(self, name: str) -> Any:
        """A cluster's state."""
        return self.call("GET", "rp/workspaces", f"/computes/{name}").json["properties"]

    def upload(self, files: Mapping[str, bytes], *, parent: str | None = None, tree: Any = None) -> Answer:
        """Makes a snapshot; its id is `snapshot-N`."""
        self.snapshot += 1
        nodes = self.call("POST", "content/v2.0", "/snapshots/getblob", {"FileNames": list(files)}).json["fileNodes"]
        for node in nodes:
            assert self.send("PUT", node["blobUri"], files[node["fullName"]], x_ms_blob_type="BlockBlob").status == 201
        revisions = [{"FullName": node["fullName"], "BlobUri": node["blobUri"]} for node in nodes]
        asked = {
            "ParentSnapshotId": parent,
            "DirTreeNode": tree or _tree(files),
            "FileRevisionList": {"FileNodes": revisions},
        }
        return self.call("POST", "content/v2.0", f"/snapshots/snapshot-{self.snapshot}", asked)

    def submit(self, run_id: str, script: str, *arguments: str, **configuration: Any) -> Answer:
        """Submits a script of its own, on the cluster `c`."""
        assert self.upload({"run.py": script.encode()}).status == 200
        name = configuration.pop("script_name", "run.py")
        definition = {"script": name, "arguments": list(arguments), "target": "c", **configuration}
        asked = {"Configuration": definition, "SnapshotId": f"snapshot-{self.snapshot}"}
        path = f"/experiments/e/snapshotrun?{urllib.parse.urlencode({'runId': run_id})}"
        return self.call("POST", "execution/v1.0", path, asked)

    def run(self, run_id: str) -> Any:
        """A run."""
        return self.call("GET", "history/v1.0", f"/runs/{urllib.parse.quote(run_id, safe='')}").json

    def until(self, run_id: str, *states: str) -> Any:
        """The run when it has come to one of these states, which it must within the time-out."""
        deadline = time.monotonic() + self.timeout_s
        while (run := self.run(run_id))["status"] not in states:
            assert time.monotonic() < deadline, run
            time.sleep(0.02)
        return run

    def log(self, run_id: str) -> str:
        """What a run has printed."""
        path = f"/artifacts/contentinfo/ExperimentRun/dcid.{run_id}/user_logs/std_log.txt"
        found = self.call("GET", "artifact/v2.0", path)
        return self.send("GET", found.json["contentUri"]).body.decode() if found.status == 200 else ""

    def until_log(self, run_id: str, text: str) -> str:
        """The log when the text is in it, which must be within the time-out."""
        deadline = time.monotonic() + self.timeout_s
        while text not in (log := self.log(run_id)):
            assert time.monotonic() < deadline, (log, self.run(run_id))
            time.sleep(0.02)
        return log

    def blob(self, container: str, name: str) -> bytes:
        """The content of a blob, read with the account's key."""
        address = f"https://{self.emulator.settings.blob}/{container}/{urllib.parse.quote(name)}"
        answer = self.send("GET", address, Authorization="SharedKey account:signature")
        assert answer.status == 200, answer
        return answer.body


def _tree(files: Mapping[str, bytes]) -> Any:
    root: dict[str, Any] = {"type": "Directory", "children": {}}
    for name in files:
        *folders, last = name.split("/")
        place = root
        for folder in folders:
            place = place["children"].setdefault(folder, {"type": "Directory", "children": {}})
        place["children"][last] = {"type": "File", "children": {}}
    return root
