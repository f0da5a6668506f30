"""What Azure changes without notice: VM sizes, base image, SDK. A table, and the date it was last checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

TABLE_DATE = date(2026, 7, 6)
"""The day this table was last compared with what Microsoft publishes."""

DEFAULT_SIZE = "Standard_NC4as_T4_v3"
"""The smallest current size with a whole GPU."""

IMAGE = "mcr.microsoft.com/azureml/openmpi5.0-cuda12.6-ubuntu24.04:20260621.v1"
"""The base image, with its newest tag on that day. A tag doesn't change, so all jobs get the same image."""

SDK_VERSION = "1.61.0.post4"
"""The azureml-core that stoker was tested with."""

SDK_SUPPORT_ENDED = date(2026, 6, 30)
"""The last day on which Microsoft supported version 1 of the SDK, which azureml-core is."""


@dataclass(frozen=True, slots=True)
class Size:
    """A VM size that Azure offers.

    Attributes:
        name: As Azure writes it.
        cores: Virtual CPU cores.
        memory_gib: Memory, in GiB.
        gpus: How many GPUs; 0.5 is half of one.
        gpu: Their kind; "" if there are none.
        usd: What an hour of a dedicated node costs, in US dollars: the list price in East US as SkyPilot's catalogue
            has it (skypilot-org/skypilot-catalog, catalogs/v6/azure/vms.csv); None where it has none. Prices change,
            and other regions differ; https://prices.azure.com has those of today.
    """

    name: str
    cores: int
    memory_gib: int
    gpus: float
    gpu: str
    usd: float | None


@dataclass(frozen=True, slots=True)
class Retired:
    """A VM size that Azure has retired, or will retire.

    Attributes:
        name: As Azure writes it.
        on: The day of its retirement.
        successor: A current size for the same work.
    """

    name: str
    on: date
    successor: str


CURRENT = (
    Size("Standard_NC4as_T4_v3", 4, 28, 1, "T4", 0.526),
    Size("Standard_NC8as_T4_v3", 8, 56, 1, "T4", 0.752),
    Size("Standard_NC16as_T4_v3", 16, 110, 1, "T4", 1.204),
    Size("Standard_NC64as_T4_v3", 64, 440, 4, "T4", 4.352),
    Size("Standard_NV18ads_A10_v5", 18, 220, 0.5, "A10", None),
    Size("Standard_NV36ads_A10_v5", 36, 440, 1, "A10", 3.2),
    Size("Standard_NV72ads_A10_v5", 72, 880, 2, "A10", 6.52),
    Size("Standard_NC24ads_A100_v4", 24, 220, 1, "A100", 3.673),
    Size("Standard_NC48ads_A100_v4", 48, 440, 2, "A100", 7.346),
    Size("Standard_NC96ads_A100_v4", 96, 880, 4, "A100", 14.692),
    Size("Standard_NC40ads_H100_v5", 40, 320, 1, "H100", 6.98),
    Size("Standard_NC80adis_H100_v5", 80, 640, 2, "H100", 13.96),
    Size("Standard_ND96asr_v4", 96, 900, 8, "A100", 27.197),
    Size("Standard_ND96amsr_A100_v4", 96, 1900, 8, "A100", 32.77),
    Size("Standard_ND96isr_H100_v5", 96, 1900, 8, "H100", 98.32),
    Size("Standard_D2_v3", 2, 8, 0, "", None),
    Size("Standard_DS3_v2", 4, 14, 0, "", 0.293),
    Size("Standard_DS11_v2", 2, 14, 0, "", 0.185),
    Size("Standard_DS12_v2", 4, 28, 0, "", 0.371),
)

_ONE_T4, _FOUR_T4 = "Standard_NC4as_T4_v3", "Standard_NC64as_T4_v3"
_A100 = {1: "Standard_NC24ads_A100_v4", 2: "Standard_NC48ads_A100_v4", 4: "Standard_NC96ads_A100_v4"}
_RETIREMENTS = (
    (date(2023, 8, 31), _ONE_T4, ("NC6", "NC6s_v2")),
    (date(2023, 8, 31), _FOUR_T4, ("NC12", "NC24", "NC24r", "NC12s_v2", "NC24s_v2", "NC24rs_v2")),
    (date(2023, 8, 31), _A100[1], ("ND6s",)),
    (date(2023, 8, 31), _A100[2], ("ND12s",)),
    (date(2023, 8, 31), _A100[4], ("ND24s", "ND24rs")),
    (date(2025, 3, 31), _A100[4], ("NC24rs_v3",)),
    (date(2025, 9, 30), _A100[1], ("NC6s_v3",)),
    (date(2025, 9, 30), _A100[2], ("NC12s_v3",)),
    (date(2025, 9, 30), _A100[4], ("NC24s_v3",)),
    (date(2026, 9, 30), "Standard_NV36ads_A10_v5", ("NV12s_v3",)),
    (date(2026, 9, 30), "Standard_NV72ads_A10_v5", ("NV24s_v3", "NV48s_v3")),
    (date(2026, 9, 30), "Standard_NV18ads_A10_v5", ("NV4as_v4", "NV8as_v4", "NV16as_v4")),
    (date(2026, 9, 30), "Standard_NV36ads_A10_v5", ("NV32as_v4",)),
)
RETIRED = tuple(Retired(f"Standard_{name}", on, successor) for on, successor, names in _RETIREMENTS for name in names)


def find(name: str) -> Size | None:
    """Finds the current size of a name, in upper or lower case; None if the table has none."""
    return next((size for size in CURRENT if size.name.lower() == name.lower()), None)


def retirement(name: str) -> Retired | None:
    """Finds the retirement of the size of a name, past or future; None if the table has none."""
    return next((size for size in RETIRED if size.name.lower() == name.lower()), None)


def may_have_gpu(name: str) -> bool:
    """Tells whether a size has a GPU, or may have one, because its name says nothing of that.

    If the table lacks the size, its family decides: those with GPUs begin with N. A name of another form has none.
    """
    size = find(name)
    if size:
        return size.gpus > 0
    family = name.lower().removeprefix("standard_")
    return family == name.lower() or family.startswith("n")


def price(name: str) -> str:
    """Describes what an hour of a dedicated node of a size costs, for people."""
    usd = _usd(name)
    return "stoker knows no price" if usd is None else f"about {usd:.2f} USD an hour"


def costs_more(name: str, than: str) -> bool:
    """Tells whether a size costs more than another. One that may have a GPU may, unless the table has both prices."""
    usd, other = _usd(name), _usd(than)
    return may_have_gpu(name) if usd is None or other is None else usd > other


def idle_gpus(name: str) -> str:
    """Says how many GPUs of a node a job would pay for and not use; "" if there are none."""
    size = find(name)
    if size is None or size.gpus <= 1:
        return ""
    idle = f"the other {size.gpus - 1:g} are" if size.gpus > 2 else "the other one is"
    return f"a node of {size.name} has {size.gpus:g} {size.gpu} GPUs, and a job uses one: {idle} paid for, and idle"


def bound(*, hours: float, vm_size: str, low_priority: bool, min_nodes: int, idle_seconds: int) -> str:
    """Says what a job costs at most, in node-hours and, if the table has the price, in US dollars.

    Args:
        hours: How long the job may run.
        vm_size: The size of the cluster's nodes.
        low_priority: Whether they are of low priority, which costs less than the table says.
        min_nodes: How many nodes the cluster keeps when idle.
        idle_seconds: How long an idle node stays.
    """
    usd = _usd(vm_size)
    money = "" if usd is None else f" ({'less than' if low_priority else 'about'} {hours * usd:,.2f} USD)"
    kept = f", and {min_nodes} kept when idle" if min_nodes else ""
    idle = f" and {idle_seconds} s of waiting for more" if idle_seconds else ""
    return f"at most {hours:g} node-hours of {vm_size}{money}{idle}{kept}"


def _usd(name: str) -> float | None:
    size = find(name)
    return size.usd if size else None


def age(today: date) -> str:
    """Describes how old the table is."""
    days = max((today - TABLE_DATE).days, 0)
    return f"stoker's table of sizes dates from {TABLE_DATE}, {days} days ago"
