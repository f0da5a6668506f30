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

    It listens only on 127.0.0.1, and refuses every host that it does not answer for. Its state is in its folder, from
    which another emulator can continue.

        with Emulator(tmp_path / "azure") as emulator:
            subprocess.run([...], env={**os.environ, **emulator.client_environment()})

    Args:
        root: The folder for its state; made if need be.
        port: The port to listen at; 0 takes a free one.
        **settings: Fields of `Settings`.

    Attributes:
        settings: What the subscription looks like, and how long things take in it.
    """

    def __init__(self, root: Path, *, port: int = 0, **settings: Any) -> None:
        self.settings = replace(Settings(), **settings)
        self._root = files.make_folder(root.resolve())
        self._port = port
        self._faults = Faults()
        self._proxy: Proxy | None = None
        self._service: Service | None = None

    def start(self) -> Emulator:
        """Starts to listen.

        Returns:
            The emulator itself.

        Raises:
            ModuleNotFoundError: A package of the extra `emulator` is missing.
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
        """Ends all jobs with their processes, and stops listening; does nothing if it has stopped."""
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
        """The services, to look at their state.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._service is None:
            raise RuntimeError("the emulator isn't running")
        return self._service

    @property
    def port(self) -> int:
        """The port that it listens at.

        Raises:
            RuntimeError: The emulator has never been started.
        """
        return self._running_proxy().port

    @property
    def requests(self) -> list[Recorded]:
        """The requests that were received, oldest first, with the connections that were refused.

        Raises:
            RuntimeError: The emulator has never been started.
        """
        return list(self._running_proxy().requests)

    @property
    def blocked(self) -> list[Recorded]:
        """The requests to hosts that the emulator does not answer for.

        Raises:
            RuntimeError: The emulator has never been started.
        """
        return [request for request in self.requests if request.blocked]

    def client_environment(self) -> dict[str, str]:
        """Returns the environment variables of a client, to be set before it imports `azureml.core`.

        HOME is one of them: the SDK keeps addresses and snapshots there, and would mix in those of the real Azure.

        Raises:
            RuntimeError: The emulator has never been started.
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
        """Writes the `config.json` of the workspace into a folder.

        Returns:
            The file.
        """
        path = folder / "config.json"
        path.write_text(json.dumps(self.settings.config, indent=2) + "\n", encoding="utf-8")
        return path

    def fault(self, pattern: str, kind: FaultKind | str, *, times: int | None = 1, slow_s: float = 2.0) -> Fault:
        """Injects a fault into requests to come.

        Args:
            pattern: A regular expression, searched in `METHOD host/path?query` of each request.
            kind: What goes wrong.
            times: How many times; None for always.
            slow_s: How long a slow answer takes, in seconds.

        Returns:
            The fault, which counts how many times it has happened.

        Raises:
            ValueError: There is no such kind.
        """
        fault = Fault(pattern=re.compile(pattern), kind=FaultKind(kind), left=times, slow_s=slow_s)
        self._faults.add(fault)
        return fault

    def preempt(self, run_id: str, *, fails: bool = False) -> None:
        """Takes the nodes of a run away: kills its process, and puts it back into the queue.

        Args:
            run_id: The run.
            fails: Whether it fails with a PreemptionError instead, as sometimes happens on Azure.

        Raises:
            ValueError: The run is not running.
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
        # requests, msal and azure-core read the first; the data runtime, which is written in Rust, reads the last.
        trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), certificate)
        # Without it, some ways to sign in ask for the list of clouds first.
        return {**proxies, **exempt, **trusted, "AZUREML_CURRENT_CLOUD": "AzureCloud"}
