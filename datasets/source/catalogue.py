"""The data sets that stoker knows by name: their sources, and the digests of their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..idx.locate import ROLES


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFile:
    """One of the four files of a named data set.

    Attributes:
        name: The name of the raw file; mirrors and archives have it with ".gz".
        sha256: The digest of the raw file; "" where no documentation states it.
        gz_md5: The digest of the gzip file as its authors distribute it; "" where no documentation states it.
        limit_bytes: The largest size that the gzip file may have.
    """

    name: str
    sha256: str = ""
    gz_md5: str = ""
    limit_bytes: int = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """A zip file that holds the gzip files of several data sets.

    Attributes:
        name: Its name in the cache.
        urls: Where it can be downloaded, in the order of preference.
        md5: The digest of the zip file.
        folder: The folder inside it that holds the gzip files.
        limit_bytes: The largest size that it may have.
    """

    name: str
    urls: tuple[str, ...]
    md5: str
    folder: str
    limit_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSet:
    """A named data set.

    Attributes:
        name: The name on the command line.
        summary: One line about it.
        credit: Authors and licence.
        files: The four files by role, as in `ROLES`.
        mirrors: Addresses of folders that hold the gzip files, in the order of preference.
        archive: The zip file that holds the gzip files, where there are no mirrors.
        digests_from: Where the digests are documented.
        bundled: Whether a copy comes with stoker.
        remark: A note for whoever trains on it, or "".
    """

    name: str
    summary: str
    credit: str
    files: Mapping[str, KnownFile]
    mirrors: tuple[str, ...] = ()
    archive: Archive | None = None
    digests_from: str
    bundled: bool = False
    remark: str = ""

    @property
    def prefix(self) -> str:
        """What comes before "train" in the names of its files: "emnist-letters", mostly ""."""
        return self.files[ROLES[0]].name.partition("train-")[0].rstrip("-")


_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_EMNIST_ROLES = ("train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1")
_TORCHVISION = "torchvision's list of data sets"


def _by_sha256(*digests: str) -> Mapping[str, KnownFile]:
    known = (KnownFile(name=name, sha256=digest) for name, digest in zip(_NAMES, digests, strict=True))
    return MappingProxyType(dict(zip(ROLES, known, strict=True)))


def _by_md5(*digests: str) -> Mapping[str, KnownFile]:
    known = (KnownFile(name=name, gz_md5=digest) for name, digest in zip(_NAMES, digests, strict=True))
    return MappingProxyType(dict(zip(ROLES, known, strict=True)))


def _emnist(split: str, summary: str) -> KnownSet:
    known = (KnownFile(name=f"emnist-{split}-{role}-ubyte", limit_bytes=1 << 30) for role in _EMNIST_ROLES)
    return KnownSet(
        name=f"emnist-{split}",
        summary=summary,
        credit="Gregory Cohen, Saeed Afshar, Jonathan Tapson and André van Schaik, from NIST Special Database 19",
        files=MappingProxyType(dict(zip(ROLES, known, strict=True))),
        archive=EMNIST_ARCHIVE,
        digests_from=_TORCHVISION,
        remark="the images of EMNIST are stored transposed: each shows its character mirrored and lying on its side",
    )


EMNIST_ARCHIVE = Archive(
    name="emnist.zip",
    urls=("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
    md5="58c8d27c78d21e728a6bc7b3cc06412e",
    folder="gzip",
    limit_bytes=1 << 30,
)
"""The zip file with all sets of EMNIST, about 535 MB."""

MNIST = KnownSet(
    name="mnist",
    summary="handwritten digits, 10 classes, 60,000 + 10,000 images of 28 x 28",
    credit="Yann LeCun and Corinna Cortes, CC BY-SA 3.0",
    files=_by_sha256(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://azureopendatastorage.blob.core.windows.net/mnist/",
    ),
    digests_from="stoker's catalogue",
    bundled=True,
)
"""The set that stoker was made for, which is bundled with it."""

_SETS = (
    MNIST,
    KnownSet(
        name="fashion-mnist",
        summary="pieces of clothing, 10 classes, 60,000 + 10,000 images of 28 x 28",
        credit="Han Xiao, Kashif Rasul and Roland Vollgraf (Zalando), MIT",
        files=_by_md5(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        digests_from=_TORCHVISION,
    ),
    KnownSet(
        name="kmnist",
        summary="cursive Japanese characters, 10 classes, 60,000 + 10,000 images of 28 x 28",
        credit="Center for Open Data in the Humanities (CODH), CC BY-SA 4.0",
        files=_by_md5(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        digests_from=_TORCHVISION,
    ),
    _emnist("balanced", "handwritten digits and letters, 47 classes of equal size"),
    _emnist("byclass", "handwritten digits, upper and lower case letters, 62 classes"),
    _emnist("bymerge", "handwritten digits and letters, 47 classes, similar cases merged"),
    _emnist("digits", "handwritten digits, 10 classes, four times as many as in MNIST"),
    _emnist("letters", "handwritten letters, labelled 1 to 26"),
    _emnist("mnist", "handwritten digits, 10 classes, as many as in MNIST"),
)

CATALOGUE = MappingProxyType({known.name: known for known in _SETS})
"""All named data sets."""
