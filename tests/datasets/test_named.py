"""Named data sets: fetched once, checked by digest, and never mistaken for each other."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import requests

from stoker.datasets import idx
from stoker.datasets.idx.locate import ROLES
from stoker.datasets.plugin import stoker_datasets, stoker_get_dataset
from stoker.datasets.readers.named import NamedReader
from stoker.datasets.source import fetch, identity, store
from stoker.datasets.source.catalogue import CATALOGUE, MNIST, Archive, KnownFile, KnownSet
from stoker.datasets.source.http import Patience, Transport
from stoker.datasets.source.verify import verify_cached, verify_folder
from stoker.engine.errors import DatasetError, DownloadError, StorageError

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(file.name for file in MNIST.files.values())
ARRAYS = (
    np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
    np.array([0, 1, 2, 0, 1, 2], np.uint8),
    np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
    np.array([2, 1, 0], np.uint8),
)


class Network(requests.Session):
    """Answers from a dictionary of addresses instead of a network; what it lacks is a host that isn't there."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        super().__init__()
        self.pages = pages
        self.asked: list[str] = []

    def get(self, url: str | bytes, **_: object) -> requests.Response:
        self.asked.append(str(url))
        if url not in self.pages:
            raise requests.ConnectionError("Name or service not known")
        response = requests.Response()
        response.status_code = 200
        response.raw = _Raw(self.pages[str(url)])
        return response


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._left = body

    def read(self, size: int, decode_content: bool) -> bytes:
        assert not decode_content
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    def release_conn(self) -> None:
        """Does nothing: no connection is held."""

    def close(self) -> None:
        """Does nothing: no connection is held."""


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STOKER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, bytes]:
    """Returns the four raw files of a small data set, by name."""
    (tmp_path / "raw").mkdir()
    for name, array in zip(NAMES, ARRAYS, strict=True):
        idx.write(tmp_path / "raw" / name, array)
    return {name: (tmp_path / "raw" / name).read_bytes() for name in NAMES}


@pytest.fixture
def pages(raw: dict[str, bytes]) -> dict[str, bytes]:
    return {f"http://good/{name}.gz": gzip.compress(content, mtime=0) for name, content in raw.items()}


@pytest.fixture
def small(raw: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> KnownSet:
    """Returns a set of the catalogue with documented SHA-256 digests."""
    files = (KnownFile(name=name, sha256=hashlib.sha256(raw[name]).hexdigest()) for name in NAMES)
    known = replace(MNIST, name="small", bundled=False, mirrors=("http://bad/", "http://good/"), files=by_role(files))
    monkeypatch.setattr(identity, "CATALOGUE", {**CATALOGUE, "small": known})
    return known


@pytest.fixture
def by_md5(small: KnownSet, pages: dict[str, bytes]) -> KnownSet:
    """Returns the same set, of which only the MD5 of the distributed files is documented."""
    digests = {name: hashlib.md5(pages[f"http://good/{name}.gz"]).hexdigest() for name in NAMES}
    return replace(small, files=by_role(KnownFile(name=name, gz_md5=digest) for name, digest in digests.items()))


def by_role(files: Iterable[KnownFile]) -> MappingProxyType[str, KnownFile]:
    return MappingProxyType(dict(zip(ROLES, files, strict=True)))


def reader(known: KnownSet, network: Network) -> NamedReader:
    patience = Patience(tries=1)
    transport = Transport(session=network, sleep=lambda _: None, clock=time.monotonic, patience=patience)
    return NamedReader(known, transport=transport)


def test_a_set_is_fetched_once_with_one_line_and_mapped_from_then_on(
    small: KnownSet, pages: dict[str, bytes], cache_folder: Path
) -> None:
    network = Network(pages)
    dataset = reader(small, network).load(None)
    assert dataset.train.images.tolist() == ARRAYS[0].tolist()
    assert dataset.test.labels.tolist() == ARRAYS[3].tolist()
    assert dataset.classes == 3
    (note,) = dataset.notes
    assert note.startswith(f"small was downloaded, and is kept in {cache_folder / 'sets' / 'small'}; what the mirrors")
    log = (cache_folder / "sets" / "small" / "download.log").read_text().splitlines()
    assert [line.partition(": ")[0] for line in log] == [f"http://bad/{name}.gz" for name in NAMES]
    assert dataset.sources == {file.name: f"sha256:{file.sha256}" for file in small.files.values()}
    asked = len(network.asked)
    again = reader(small, network).load(None)
    assert len(network.asked) == asked
    assert not again.train.images.flags.owndata
    assert reader(small, network).load(None, offline=True).name == "small"


@pytest.mark.parametrize(
    "wrong",
    [b"<html>log in</html>", b"", gzip.compress(b"<html>", mtime=0), gzip.compress(b"\0\0\x08\1\0\0\0\1x", mtime=0)],
    ids=["page", "nothing", "packed page", "packed IDX of one item"],
)
def test_a_mirror_with_wrong_content_is_passed_over(small: KnownSet, pages: dict[str, bytes], wrong: bytes) -> None:
    bad = {f"http://bad/{name}.gz": wrong for name in NAMES}
    assert reader(small, Network({**pages, **bad})).load(None).classes == 3
    with pytest.raises(DownloadError) as caught:
        reader(replace(small, name="other"), Network(bad)).load(None)
    assert "http://bad/" in caught.value.received
    assert "http://good/" in caught.value.received
    assert "--data-folder" in caught.value.hint


def test_what_is_missing_is_fetched_and_what_is_there_is_kept(small: KnownSet, pages: dict[str, bytes]) -> None:
    reader(small, Network(pages)).load(None)
    store.place_of("small", NAMES[1]).unlink()
    store.place_of("small", NAMES[2]).write_bytes(b"torn")
    network = Network(pages)
    assert reader(small, network).load(None).classes == 3
    assert {url.rpartition("/")[2] for url in network.asked} == {f"{NAMES[1]}.gz", f"{NAMES[2]}.gz"}


def test_offline_no_request_is_sent(small: KnownSet, pages: dict[str, bytes]) -> None:
    network = Network(pages)
    with pytest.raises(DatasetError) as caught:
        reader(small, network).load(None, offline=True)
    assert "stoker data fetch small" in caught.value.hint
    assert network.asked == []


def test_where_only_md5_is_documented_the_digest_is_recorded_and_checked_from_then_on(
    by_md5: KnownSet, pages: dict[str, bytes], raw: dict[str, bytes]
) -> None:
    dataset = reader(by_md5, Network(pages)).load(None)
    assert len(dataset.notes) == 1
    assert "it came over http, and has the MD5" in dataset.notes[0]
    assert "recorded" in dataset.notes[0]
    assert "data info small` shows them" in dataset.notes[0]
    assert reader(by_md5, Network(pages)).load(None).notes == ()
    place = store.place_of("small", NAMES[0])
    record = json.loads(place.with_name(f"{NAMES[0]}.json").read_text())
    assert record["sha256"] == hashlib.sha256(raw[NAMES[0]]).hexdigest()
    assert [finding.path.name for finding in verify_cached(by_md5)] == list(NAMES)
    damaged = bytearray(place.read_bytes())
    damaged[-1] ^= 1
    place.write_bytes(bytes(damaged))
    with pytest.raises(DatasetError, match="damaged") as caught:
        verify_cached(by_md5)
    assert caught.value.path == str(place)


def test_a_download_over_https_is_not_said_to_have_been_open(by_md5: KnownSet, pages: dict[str, bytes]) -> None:
    known = replace(by_md5, mirrors=("https://good/",))
    network = Network({url.replace("http:", "https:"): page for url, page in pages.items()})
    (note,) = reader(known, network).load(None).notes
    assert "; it has the MD5" in note


def test_a_recorded_digest_is_demanded_of_the_next_download(by_md5: KnownSet, pages: dict[str, bytes]) -> None:
    reader(by_md5, Network(pages)).load(None)
    store.place_of("small", NAMES[3]).unlink()
    other = pages[f"http://good/{NAMES[1]}.gz"]
    loose = replace(by_md5, files=by_role(KnownFile(name=name) for name in NAMES))
    with pytest.raises(DownloadError, match="no mirror"):
        reader(loose, Network({**pages, f"http://good/{NAMES[3]}.gz": other})).load(None)


def test_a_file_with_another_md5_is_refused(by_md5: KnownSet, pages: dict[str, bytes]) -> None:
    changed = {url: gzip.compress(gzip.decompress(page), compresslevel=1) for url, page in pages.items()}
    with pytest.raises(DownloadError) as caught:
        reader(by_md5, Network(changed)).load(None)
    assert "MD5" in caught.value.received


def archived(known: KnownSet, packed: bytes) -> KnownSet:
    archive = Archive(
        name="all.zip",
        urls=("http://good/all.zip",),
        md5=hashlib.md5(packed).hexdigest(),
        folder="gzip",
        limit_bytes=9999,
    )
    return replace(known, mirrors=(), archive=archive)


def zipped(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path.read_bytes()


def test_a_set_comes_out_of_an_archive_that_is_kept_for_others(
    small: KnownSet, pages: dict[str, bytes], tmp_path: Path, cache_folder: Path
) -> None:
    members = {f"gzip/{name}.gz": pages[f"http://good/{name}.gz"] for name in NAMES}
    packed = zipped(tmp_path / "all.zip", {"../../evil": b"x", "/etc/evil": b"x", **members})
    network = Network({"http://good/all.zip": packed})
    assert reader(archived(small, packed), network).load(None).classes == 3
    assert reader(replace(archived(small, packed), name="other"), network).load(None).classes == 3
    assert network.asked == ["http://good/all.zip"]
    assert not list(tmp_path.rglob("*evil*"))
    assert not list((cache_folder / "sets" / "small").glob("*.gz"))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "no member gzip/"),
        ({f"gzip/{NAMES[0]}.gz": b"\0" * 200_000}, "more than"),
        ({f"gzip/{NAMES[0]}.gz": b"<html>"}, "an HTML page"),
    ],
)
def test_an_archive_that_lacks_the_right_member_is_refused(
    small: KnownSet, tmp_path: Path, members: dict[str, bytes], reason: str
) -> None:
    packed = zipped(tmp_path / "all.zip", members)
    known = archived(small, packed)
    assert known.archive
    known = replace(
        known,
        archive=replace(known.archive, limit_bytes=1 << 20),
        files=by_role(replace(file, limit_bytes=100_000) for file in small.files.values()),
    )
    with pytest.raises(DatasetError) as caught:
        reader(known, Network({"http://good/all.zip": packed})).load(None)
    assert reason in str(caught.value)


def test_a_damaged_archive_in_the_cache_is_refused(small: KnownSet, tmp_path: Path, cache_folder: Path) -> None:
    (cache_folder / "archives").mkdir(parents=True)
    path = cache_folder / "archives" / "all.zip"
    path.write_bytes(zipped(tmp_path / "all.zip", {"gzip/x": b"x"})[:40])
    store.write_record(path, sha256="", origin="somewhere")
    with pytest.raises(DatasetError, match="zip file") as caught:
        reader(archived(small, b""), Network({})).load(None)
    assert str(path) in caught.value.hint


@pytest.mark.parametrize("offline", [False, True])
def test_no_host_is_asked_for_mnist_which_comes_with_stoker(cache_folder: Path, *, offline: bool) -> None:
    network = Network({})
    begun = time.process_time()
    dataset = reader(MNIST, network).load(None, offline=offline)
    unpacking_s = time.process_time() - begun
    assert dataset.train.images.shape == (60_000, 28, 28)
    assert dataset.test.images.shape == (10_000, 28, 28)
    assert (dataset.notes, network.asked) == ((), [])
    assert [finding.sha256 for finding in verify_cached(MNIST)] == [file.sha256 for file in MNIST.files.values()]
    begun = time.process_time()
    assert reader(MNIST, network).load(None).notes == ()
    assert time.process_time() - begun < unpacking_s / 3
    with pytest.raises(DatasetError) as caught:
        reader(CATALOGUE["kmnist"], network).load(cache_folder)
    assert "of mnist" in caught.value.what
    assert "--dataset mnist" in caught.value.hint
    assert network.asked == []


@pytest.mark.parametrize("name", ["mnist", "small"])
def test_a_bit_that_the_cache_has_lost_is_refused_by_name(small: KnownSet, pages: dict[str, bytes], name: str) -> None:
    known = {"mnist": MNIST, "small": small}[name]
    if name == "small":  # of which only an MD5 is documented, so what counts is the digest at the first download
        known = replace(known, files=by_role(replace(file, sha256="") for file in known.files.values()))
    reader(known, Network(pages)).load(None)
    for role in ROLES:
        place = store.place_of(known.name, known.files[role].name)
        good, status = place.read_bytes(), place.stat()
        place.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(DatasetError, match="damaged") as caught:
            reader(known, Network({})).load(None)
        assert caught.value.path == str(place)
        assert "remove it, and run" in caught.value.hint
        place.write_bytes(b"\7" + good[1:])
        with pytest.raises(DatasetError, match="damaged") as caught:
            reader(known, Network({})).load(None)
        assert "remove it, and run" in caught.value.hint
        place.write_bytes(good)
    assert reader(known, Network({})).load(None).notes == ()


def test_a_file_of_mnist_that_is_gone_or_torn_in_the_cache_comes_from_the_copy_again(cache_folder: Path) -> None:
    network = Network({})
    reader(MNIST, network).load(None)
    store.place_of("mnist", NAMES[1]).unlink()
    store.place_of("mnist", NAMES[2]).write_bytes(b"torn")
    assert reader(MNIST, network).load(None).test.images.shape == (10_000, 28, 28)
    assert network.asked == []


def test_a_stoker_without_its_copy_of_mnist_as_on_a_node_downloads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "BUNDLED", tmp_path)
    network = Network({})
    with pytest.raises(DownloadError):
        reader(MNIST, network).load(None)
    assert [url.rpartition("/")[0] + "/" for url in network.asked] == list(MNIST.mirrors)
    with pytest.raises(DatasetError, match="not on this machine yet"):
        reader(MNIST, network).load(None, offline=True)


def test_mnist_trains_even_where_nothing_can_be_written(cache_folder: Path) -> None:
    cache_folder.write_text("in the way")
    dataset = reader(MNIST, Network({})).load(None)
    assert dataset.train.images.shape == (60_000, 28, 28)
    assert "the copy of mnist that comes with stoker is used" in dataset.notes[0]
    assert set(dataset.sources.values()) == {f"sha256:{file.sha256}" for file in MNIST.files.values()}
    with pytest.raises(StorageError) as caught:
        reader(CATALOGUE["kmnist"], Network({})).load(None)
    assert "STOKER_CACHE_DIR" in caught.value.hint


def test_the_notice_of_the_bundled_copy_names_authors_licence_and_digests() -> None:
    notice = (fetch.BUNDLED / "NOTICE.txt").read_text()
    assert all(word in notice for word in ("Yann LeCun", "Corinna Cortes", "CC BY-SA 3.0", "Keras"))
    assert all(file.sha256 in notice for file in MNIST.files.values())


def test_a_folder_is_checked_against_the_name(small: KnownSet, raw: dict[str, bytes], tmp_path: Path) -> None:
    dataset = reader(small, Network({})).load(tmp_path / "raw")
    assert dataset.name == "small"
    assert dataset.sources == {file.name: f"sha256:{file.sha256}" for file in small.files.values()}
    with pytest.raises(DatasetError) as caught:
        reader(MNIST, Network({})).load(tmp_path / "raw")
    assert "of small" in caught.value.what
    assert "--dataset small" in caught.value.hint
    idx.write(tmp_path / "raw" / NAMES[1], ARRAYS[1][::-1])
    with pytest.raises(DatasetError) as caught:
        reader(small, Network({})).load(tmp_path / "raw")
    assert "no data set that stoker knows" in caught.value.what
    assert "--dataset folder" in caught.value.hint


def test_a_folder_of_distributed_files_is_checked_by_their_md5(
    by_md5: KnownSet, pages: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "gz").mkdir()
    for url, page in pages.items():
        (tmp_path / "gz" / url.rpartition("/")[2]).write_bytes(page)
    known = replace(by_md5, name="documented")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(identity, "CATALOGUE", {"documented": known})
        assert reader(known, Network({})).load(tmp_path / "gz").notes == ()
        (note,) = reader(known, Network({})).load(tmp_path / "raw").notes
    assert NAMES[0] in note


def test_files_of_one_set_that_are_mixed_up_are_recognized(
    small: KnownSet, tmp_path: Path, raw: dict[str, bytes]
) -> None:
    (tmp_path / "raw" / NAMES[0]).write_bytes(raw[NAMES[2]])
    with pytest.raises(DatasetError) as caught:
        reader(small, Network({})).load(tmp_path / "raw")
    assert f"it is {NAMES[2]} of small" in caught.value.what
    assert "its own name" in caught.value.hint


def test_a_folder_that_is_recognised_says_so(small: KnownSet, raw: dict[str, bytes], tmp_path: Path) -> None:
    assert [finding.verdict for finding in verify_folder(tmp_path / "raw")] == [f"{name} of small" for name in NAMES]
    assert verify_cached(small) == []


def test_the_catalogue_is_offered_and_every_name_has_a_reader() -> None:
    offered = stoker_datasets()
    assert set(CATALOGUE) | {"folder"} == set(offered)
    for name, summary in offered.items():
        found = stoker_get_dataset(name)
        assert found
        assert (found.name, found.summary) == (name, summary)
    assert stoker_get_dataset("nothing") is None


def test_every_set_of_the_catalogue_can_be_fetched_and_checked() -> None:
    for known in CATALOGUE.values():
        assert tuple(known.files) == ROLES
        assert known.mirrors or known.archive
        assert known.archive or all(file.sha256 or file.gz_md5 for file in known.files.values())
        assert all(mirror.startswith(("http://", "https://")) and mirror.endswith("/") for mirror in known.mirrors)


def test_offering_data_sets_imports_nothing_heavy() -> None:
    code = (
        "import sys; from importlib.machinery import ModuleSpec; from importlib.util import module_from_spec\n"
        "spec = ModuleSpec('stoker', None, is_package=True); spec.submodule_search_locations = [sys.argv[1]]\n"
        "sys.modules['stoker'] = module_from_spec(spec)\n"
        "from stoker.datasets.plugin import stoker_datasets\n"
        "stoker_datasets()\n"
        "heavy = {'numpy', 'requests', 'rich', 'matplotlib', 'platformdirs', 'tensorflow'}\n"
        "raise SystemExit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT)], check=True, cwd="/")
