"""The VM sizes of the emulated region, without retired ones, and the quotas of the subscription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A VM size.

    Attributes:
        name: The name as Azure spells it.
        family: The family, which quotas are counted by.
        cores: The number of virtual CPUs.
        gpus: The number of GPUs.
        memory_gb: Memory in GiB.
        disk_mb: Temporary disk in MiB.
    """

    name: str
    family: str
    cores: int
    gpus: int
    memory_gb: float
    disk_mb: int

    @property
    def dto(self) -> dict[str, object]:
        """The size as the service lists it."""
        return {
            "name": self.name,
            "family": self.family,
            "vCPUs": self.cores,
            "gpus": self.gpus,
            "memoryGB": self.memory_gb,
            "maxResourceVolumeMB": self.disk_mb,
            "osVhdSizeMB": 1_047_552,
            "lowPriorityCapable": True,
            "premiumIO": True,
        }


# From the pages on virtual machine sizes at learn.microsoft.com.
_ROWS = (
    ("Standard_DS2_v2", "standardDSv2Family", 2, 0, 7, 14_336),
    ("Standard_DS3_v2", "standardDSv2Family", 4, 0, 14, 28_672),
    ("Standard_D4s_v5", "standardDSv5Family", 4, 0, 16, 0),
    ("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 1, 28, 180_224),
    ("Standard_NC8as_T4_v3", "Standard NCASv3_T4 Family", 8, 1, 56, 360_448),
    ("Standard_NC16as_T4_v3", "Standard NCASv3_T4 Family", 16, 1, 110, 360_448),
    ("Standard_NC64as_T4_v3", "Standard NCASv3_T4 Family", 64, 4, 440, 2_883_584),
    ("Standard_NC24ads_A100_v4", "StandardNCADSA100v4Family", 24, 1, 220, 65_536),
    ("Standard_NC40ads_H100_v5", "StandardNCadsH100v5Family", 40, 1, 320, 131_072),
)
_FIELDS = ("name", "family", "cores", "gpus", "memory_gb", "disk_mb")
SIZES: Mapping[str, Size] = MappingProxyType(
    {str(row[0]).lower(): Size(**dict(zip(_FIELDS, row, strict=True))) for row in _ROWS}  # type: ignore[arg-type]
)
"""The sizes by their names in small letters."""

LOW_PRIORITY = "lowPriorityCores"
"""The quota that all low-priority cores share."""

QUOTAS: Mapping[str, int] = MappingProxyType(
    {
        "standardDSv2Family": 24,
        "standardDSv5Family": 24,
        "Standard NCASv3_T4 Family": 64,
        "StandardNCADSA100v4Family": 24,
        "StandardNCadsH100v5Family": 0,
        LOW_PRIORITY: 100,
    }
)
"""The cores of each family, as a subscription may have them: none yet of the newest."""
