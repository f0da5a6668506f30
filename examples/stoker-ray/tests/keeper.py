"""Starts a Ray head on 127.0.0.1, prints its address, and ends all of it when stdin is closed.

The pipe closes when the test run ends, however that ends. Ray's processes stay in this one's process group.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

START_S = 60.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def command(folder: str, dashboard: int, agent: int, client: int) -> list[str]:
    """How the head is started; what is not said to be somewhere listens on --node-ip-address."""
    options = {
        "node-ip-address": "127.0.0.1",
        "dashboard-host": "127.0.0.1",
        "dashboard-port": dashboard,
        "dashboard-agent-listen-port": agent,
        "ray-client-server-port": client,
        "port": 0,
        "min-worker-port": 0,
        "max-worker-port": 0,
        "num-cpus": 2,
        "num-gpus": 0,
        "object-store-memory": 80_000_000,
        "temp-dir": folder,
    }
    ray = str(Path(sys.executable).with_name("ray"))
    return [ray, "start", "--head", "--block", *(f"--{name}={value}" for name, value in options.items())]


def answers(address: str) -> bool:
    """Whether the cluster takes jobs."""
    try:
        with urllib.request.urlopen(f"{address}/api/jobs/", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def main() -> None:
    """Starts, waits, ends."""
    os.setpgid(0, 0)
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # the names of Ray's sockets may not be long
    ports = free_ports(3)
    address = f"http://127.0.0.1:{ports[0]}"
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {"PATH": tools, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with Path(folder, "start.log").open("wb") as log:
        process = subprocess.Popen(
            command(folder, *ports), env=kept | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    threading.Thread(target=end_with_stdin, args=[folder], daemon=True).start()
    deadline = time.monotonic() + START_S
    while not answers(address):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.stderr.write(Path(folder, "start.log").read_text(encoding="utf-8"))
            end(folder)
        time.sleep(0.2)
    print(address, flush=True)
    process.wait()


def end_with_stdin(folder: str) -> None:
    """Waits for the end of stdin, then ends everything."""
    sys.stdin.read()
    end(folder)


def end(folder: str) -> None:
    """Removes the folder and kills all processes of this group, this one too."""
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
