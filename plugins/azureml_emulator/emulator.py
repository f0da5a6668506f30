"""The emulator: starts and stops everything, and says how clients find it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ...engine import files
from .areas import AREAS
from .network.authority import Authority
from .network.faults import Fault, FaultKind, Faults
from .network.message import Request, Response
from .network.proxy import Proxy, Recorded
from .service import Service
from .state.settings import Settings

__all__ = ["Emulator", "Fault", "FaultKind", "Recorded", "Settings"]


class Emulator:
    """A loopback Azure ML for the unmodified SDK, which finds it through environment variables alone.

    It listens on 127.0.0.1 only, and refuses every host that it does not answer for. What it is told it keeps below its
    folder; a second one there goes on with it.

        with Emulator(tmp_path / "azure") as emulator:
            subprocess.run([...], env={**os.environ, **emulator.client_environment()})

    Args:
        root: The folder; made if need be.
        port: Where to listen; 0 takes a free port.
        **settings: Fields of `Settings`.

    Attributes:
        settings: What the subscription looks like, and how fast things go in it.
    """

    def __init__(self, root: Path, *, port: int = 0, **settings: Any) -> None:
        self.settings = replace(Settings(), **settings)
        self._root = files.make_folder(root.resolve())
        self._port = port
        self._faults = Faults()
        self._proxy: Proxy | None = None
        self._service: Service | None = None

    def start(self) -> Emulator:
        """Begins to listen.

        Raises:
            OSError: The port is taken.
        """
        authority = Authority(self._root / "ca")
        self._proxy = Proxy(
            port=self._port,
            hosts=self.settings.hosts,
            authority=authority,
            faults=self._faults,
            answer=self._answer,
        )
        self._service = Service(self._root, self.settings, self._network(), routes=AREAS)
        self._home().mkdir(parents=True, exist_ok=True)
        self._proxy.start()
        return self

    def stop(self) -> None:
        """Ends all jobs, with their processes, and stops listening; twice does no harm."""
        if self._service:
            self._service.jobs.stop()
        if self._proxy:
            self._proxy.stop()
        self._service = None

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def service(self) -> Service:
        """The services themselves, for a look at what they hold.

        Raises:
            RuntimeError: The emulator isn't running.
        """
        if self._service is None:
            raise RuntimeError("the emulator isn't running")
        return self._service

    @property
    def port(self) -> int:
        """Where it listens.

        Raises:
            RuntimeError: It has never been started.
        """
        return self._running_proxy().port

    @property
    def requests(self) -> list[Recorded]:
        """What came in, oldest first; connections that were refused among them."""
        return list(self._running_proxy().requests)

    @property
    def blocked(self) -> list[Recorded]:
        """The requests to hosts that the emulator does not answer for."""
        return [request for request in self.requests if request.blocked]

    def client_environment(self) -> dict[str, str]:
        """The environment variables of a client; they must be set before it imports `azureml.core`.

        HOME is among them: the SDK keeps addresses and snapshots there, and mixes those of the real Azure in.
        """
        settings, home = self.settings, self._home()
        return {
            **self._network(),
            "HOME": str(home),
            "AZUREML_AUTH_CONFIG_DIR": str(home / ".azureml" / "auth"),
            "AZURE_CONFIG_DIR": str(home / ".azure"),
            "AZUREML_SERVICE_PRINCIPAL_TENANT_ID": settings.tenant_id,
            "AZUREML_SERVICE_PRINCIPAL_ID": settings.client_id,
            "AZUREML_SERVICE_PRINCIPAL_PASSWORD": settings.client_secret,
        }

    def write_config(self, folder: Path) -> Path:
        """Writes the `config.json` that leads to the workspace into a folder."""
        path = folder / "config.json"
        path.write_text(json.dumps(self.settings.config, indent=2) + "\n", encoding="utf-8")
        return path

    def fault(self, pattern: str, kind: FaultKind | str, *, times: int | None = 1, slow_s: float = 2.0) -> Fault:
        """Lets something go wrong.

        Args:
            pattern: A regular expression, looked for in `METHOD host/path?query` of each request.
            kind: What goes wrong.
            times: How often; None for ever.
            slow_s: How long a slow answer takes, in seconds.

        Returns:
            The fault, which counts how often it happened.

        Raises:
            ValueError: There is no such kind.
        """
        fault = Fault(pattern=re.compile(pattern), kind=FaultKind(kind), left=times, slow_s=slow_s)
        self._faults.add(fault)
        return fault

    def preempt(self, run_id: str, *, fails: bool = False) -> None:
        """Takes the nodes of a run away: its process is killed, and it goes back into the queue.

        Args:
            run_id: The run.
            fails: Whether it fails with a PreemptionError instead, as Azure does at times.

        Raises:
            ValueError: It is not running.
        """
        self.service.jobs.preempt(run_id, fails=fails)

    def _answer(self, request: Request) -> Response:
        return self.service.answer(request)

    def _home(self) -> Path:
        return self._root / "home"

    def _running_proxy(self) -> Proxy:
        if self._proxy is None:
            raise RuntimeError("the emulator has never been started")
        return self._proxy

    def _network(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.port}"
        certificate = str(self._root / "ca" / "ca.pem")
        proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), address)
        exempt = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        # requests, msal and azure-core read the first, the data runtime, which is written in Rust, the last.
        trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), certificate)
        # Unset, some ways to sign in ask for the list of clouds first.
        return {**proxies, **exempt, **trusted, "AZUREML_CURRENT_CLOUD": "AzureCloud"}
