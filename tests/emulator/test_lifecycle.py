"""The emulator starts, stops without a trace, continues with its folder, and can be started from a shell."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from stoker.engine.errors import BackendError, OptionError, PluginError
from stoker.engine.options.parser import Parser
from stoker.engine.plugin.extras import install_command
from stoker.plugins.azureml_emulator import Emulator, command

from ..patience import PATIENCE_S
from ..stoker_process import start
from .client import Client

WAITS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def listens(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_stopping_leaves_no_process_no_listener_and_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Emulator(tmp_path) as emulator:
        client = Client(emulator=emulator)
        client.cluster("c")
        client.submit("one", WAITS)
        process = int(client.until_log("one", "\n"))
        assert listens(emulator.port)
    assert not listens(emulator.port)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert [one.name for one in set(threading.enumerate()) - before if one.name.startswith(("job", "emulator"))] == []
    emulator.stop()


def test_it_listens_on_the_loopback_address_only(emulator: Emulator) -> None:
    assert emulator._running_proxy()._server.server_address[0] == "127.0.0.1"


def test_a_second_emulator_goes_on_with_the_folder_of_the_first(tmp_path: Path) -> None:
    with Emulator(tmp_path) as first:
        client = Client(emulator=first)
        client.cluster("c")
        client.submit("done", "print('hello')")
        client.until("done", "Completed")
        client.submit("cut", WAITS)
        client.until_log("cut", "\n")
    with Emulator(tmp_path) as second:
        client = Client(emulator=second)
        assert client.log("done") == "hello\n"
        cut = client.run("cut")
        assert (cut["status"], cut["error"]["error"]["code"]) == ("Failed", "EmulatorStopped")
        assert client.submit("done", "").code == "RunIdInUse"


def test_each_folder_is_a_workspace_of_its_own(tmp_path: Path) -> None:
    identifiers = set()
    for name in ("a", "b", "a"):
        with Emulator(tmp_path / name) as emulator:
            identifiers.add(emulator.service.workspace_id)
    assert len(identifiers) == 2


def test_a_mounted_data_set_can_not_be_written_to(client: Client, emulator: Emulator) -> None:
    emulator.service.storage.put("azureml-blobstore", "data/sub/x", b"1")
    pattern = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/workspaceblobstore/paths/data/"
    flow = f'{{"meta": {{"RsDataflow": "paths:\\n  - pattern: {pattern}\\n"}}}}'
    saved = client.call("POST", "dataset/v1.0", "/saveddatasets", {"dataflowJson": flow}).json["id"]
    client.cluster("c")
    script = "import os, sys; p = sys.argv[1]; print(oct(os.stat(p).st_mode), oct(os.stat(p + '/sub/x').st_mode))"
    data = {"d": {"dataLocation": {"dataset": {"id": saved}}}}
    client.submit("one", script, "DatasetConsumptionConfig:d", data=data)
    client.until("one", "Completed")
    modes = [int(mode, 8) for mode in client.log("one").split()]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o555, 0o444]


def test_a_data_set_that_is_not_there_fails_the_run_with_the_reason(client: Client) -> None:
    client.cluster("c")
    data = {"d": {"dataLocation": {"dataset": {"id": "no-such"}}}}
    client.submit("one", "", "DatasetConsumptionConfig:d", data=data)
    assert "no-such" in client.until("one", "Failed")["error"]["error"]["message"]


def test_the_command_prints_what_a_shell_takes_and_writes_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "it's a folder"
    seen: dict[str, str] = {}

    def interrupt() -> None:
        printed = capsys.readouterr().out
        lines = [shlex.split(line, comments=True) for line in printed.splitlines()]
        seen.update(words[1].split("=", 1) for words in lines if words and words[0] == "export")
        assert listens(int(seen["HTTPS_PROXY"].rpartition(":")[2]))
        raise KeyboardInterrupt

    assert command.serve(root, wait=interrupt) == 0
    assert Path(seen["SSL_CERT_FILE"]).is_file()
    assert Path(seen["HOME"]).is_relative_to(root)
    assert (root / "config.json").is_file()
    assert f"export HOME={shlex.quote(seen['HOME'])}\n" in (root / "environment.sh").read_text(encoding="utf-8")
    assert not listens(int(seen["HTTPS_PROXY"].rpartition(":")[2]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_leaves_no_folder_however_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with start("azureml", "emulator", cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while "Ctrl-C stops" not in process.stdout.readline():
            assert process.poll() is None
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("stoker-azureml-")]
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_or_none_is_said_in_one_sentence(tmp_path: Path, emulator: Emulator) -> None:
    with pytest.raises(BackendError, match=f"can't listen on 127.0.0.1:{emulator.port}"):
        command.serve(tmp_path / "other", port=emulator.port)
    parser = Parser()
    command.add_options(parser)
    with pytest.raises(OptionError, match="--port"):
        command.run(parser.parse_args(["--port", "70000"]), None)  # type: ignore[arg-type]


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(emulator: Emulator) -> None:
        raise ModuleNotFoundError(name="yaml")

    monkeypatch.setattr("stoker.plugins.azureml_emulator.emulator.Emulator.start", start)
    with pytest.raises(PluginError, match="the emulator needs the package 'yaml', which is not installed") as caught:
        command.serve(tmp_path)
    assert caught.value.hint == install_command("emulator")
