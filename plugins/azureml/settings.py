"""The settings of the backend: the values of the options `--azureml-…`, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from ...engine.errors import InputError, OptionError
from ...engine.job import TrainJob
from ...engine.paths import expanded
from . import catalogue

AUTHS = ("ambient", "service-principal", "managed-identity", "interactive")
"""Ways to sign in: as this machine is, as a service principal from environment variables, as a managed identity of a
machine at Azure, with a browser."""

MNIST_DATASET = "mnist-dataset"
"""What the tutorial calls the data set that it registers."""

_COMPUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,22}[A-Za-z0-9]")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
"""The name of an experiment, of a data set, of a VM size."""

_VERSION = r"(:[A-Za-z0-9][A-Za-z0-9._-]{0,29})?"
_DATA = rf"{NAME.pattern}(:([0-9]{{1,9}}|latest))?|azureml://datastores/[A-Za-z0-9_]+/paths/[^\s*?]*"
_ASSET = rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,199}}{_VERSION}"

DATASTORES = "azureml://datastores/"
"""What the address of a path in a datastore begins with."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_LONGEST_HOURS = 24.0 * 21

_MOST_NODES = 65_000
"""To which Azure raises the most nodes of a cluster, on request, as "Manage and increase quotas and limits for
resources with Azure Machine Learning" says."""

_LONGEST_IDLE_S = 30 * 24 * 3600
"""Azure names no bound; a node that is idle for longer was forgotten, or the number was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureSettings:
    """Where and how a job runs at Azure ML; each attribute is the option `--azureml-…` of its name.

    Attributes:
        config: The path of the workspace's `config.json`; "" searches as `Workspace.from_config` does.
        experiment: The experiment; "" takes the title of the job.
        compute: The cluster; it is made if it doesn't exist.
        vm_size: The size of its nodes.
        max_nodes: How many nodes it may have.
        min_nodes: How many nodes it keeps when idle.
        idle_seconds: How long an idle node stays.
        low_priority: Cheaper nodes, which Azure may take away.
        identity: The managed identity of a new cluster: "system" for one of its own, or the resource id of one that is
            there; "" for none.
        subnet: The subnet of a new cluster: VNET/SUBNET in the workspace's resource group, or a resource id; "" for
            none.
        no_public_ip: The nodes of a new cluster have no public addresses.
        accept_cluster: Use a cluster that is there even if it costs more than was asked for.
        max_hours: How long a job may run before the service ends it.
        max_queue_minutes: How long a job may wait for a node before it is cancelled; 0 for as long as it takes.
        environment: The path of a conda YAML, or a registered environment, "NAME" or "NAME:VERSION"; "" makes one from
            what is installed here.
        image: The base image of the environment; a registered one has its own.
        dataset: The registered data set, "NAME" or "NAME:VERSION", or a path in a datastore,
            "azureml://datastores/NAME/paths/PATH"; "" takes `mnist-dataset` for MNIST, and for a folder a name made
            from its content.
        new_dataset_version: Register a new version of the data set even if there is one.
        auth: How to sign in, one of `AUTHS`.
        allow_retired: Use the VM size even if the table calls it retired.

    Raises:
        OptionError: A value is out of its range, or holds a secret.
    """

    config: str = ""
    experiment: str = ""
    compute: str = "gpu-cluster"
    vm_size: str = catalogue.DEFAULT_SIZE
    max_nodes: int = 4
    min_nodes: int = 0
    idle_seconds: int = 120
    low_priority: bool = False
    identity: str = ""
    subnet: str = ""
    no_public_ip: bool = False
    accept_cluster: bool = False
    max_hours: float = 12.0
    max_queue_minutes: float = 0.0
    environment: str = ""
    image: str = catalogue.IMAGE
    dataset: str = ""
    new_dataset_version: bool = False
    auth: str = AUTHS[0]
    allow_retired: bool = False

    def __post_init__(self) -> None:
        self._refuse_secrets()
        named = "a name of at most 255 letters, digits, '-' and '_', a letter or digit first"
        self._check("experiment", not self.experiment or bool(NAME.fullmatch(self.experiment)), named)
        data = "NAME, NAME:VERSION with a number or 'latest', or azureml://datastores/NAME/paths/PATH"
        hint = f"the SDK finds no other versions; the files of one can be named with {DATASTORES}NAME/paths/PATH"
        hint = hint if ":" in self.dataset and DATASTORES not in self.dataset else ""
        self._check("dataset", not self.dataset or bool(re.fullmatch(_DATA, self.dataset)), data, hint)
        cluster = "a name of 2 to 24 letters, digits and '-', a letter first, no '-' last"
        self._check("compute", bool(_COMPUTE.fullmatch(self.compute)), cluster)
        self._check("vm_size", bool(NAME.fullmatch(self.vm_size)), f"a VM size, such as {catalogue.DEFAULT_SIZE}")
        nodes = f"a whole number from 1 to {_MOST_NODES}"
        self._check("max_nodes", 1 <= self.max_nodes <= _MOST_NODES, nodes)
        self._check("min_nodes", 0 <= self.min_nodes <= self.max_nodes, f"a whole number from 0 to {self.max_nodes}")
        idle = f"a whole number from 1 to {_LONGEST_IDLE_S}, which is 30 days"
        hint = "" if self.idle_seconds else "the SDK can't ask Azure for 0 seconds; 1 lets a node go at once"
        self._check("idle_seconds", 1 <= self.idle_seconds <= _LONGEST_IDLE_S, idle, hint)
        self._check("max_hours", 0 < self.max_hours <= _LONGEST_HOURS, f"a number above 0, at most {_LONGEST_HOURS:g}")
        minutes = _LONGEST_HOURS * 60
        self._check("max_queue_minutes", 0 <= self.max_queue_minutes <= minutes, f"a number from 0 to {minutes:g}")
        self._check_access()
        self._check("image", bool(_IMAGE.fullmatch(self.image)), "the name of an image, with its tag")
        self._check("auth", self.auth in AUTHS, f"one of {', '.join(AUTHS)}")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> AzureSettings:
        """Makes the settings from options.

        Args:
            options: Their values by their names without `azureml_`; those that are missing have their defaults.

        Raises:
            OptionError: A value is out of its range.
        """
        known = {entry.name for entry in fields(cls)}
        given = {name: value for name, value in options.items() if name in known and value is not None}
        paths = {name: str(expanded(value).absolute()) for name, value in given.items() if isinstance(value, Path)}
        return cls(**(given | paths))

    def experiment_of(self, job: TrainJob) -> str:
        """Returns the name of the experiment for a job, in characters that Azure takes."""
        return self.experiment or _UNSAFE.sub("-", job.title).strip("-_") or "stoker"

    def dataset_of(self, job: TrainJob) -> str:
        """Returns the name of a job's registered data set; "" if its content names it, or nothing is mounted."""
        return self.dataset or (MNIST_DATASET if job.dataset == "mnist" and not job.data_folder else "")

    @property
    def registered_environment(self) -> str:
        """The registered environment, "NAME" or "NAME:VERSION"; "" if a file is named, or none."""
        return self.environment if is_registered(self.environment) else ""

    @property
    def max_seconds(self) -> int:
        """How long a job may run, in seconds."""
        return max(round(self.max_hours * 3600), 1)

    def refuse_retired(self, today: date) -> None:
        """Refuses a VM size that Azure has retired, unless `allow_retired` is set.

        Args:
            today: The day.

        Raises:
            InputError: The size is retired; the error names a current one and the age of the table.
        """
        retired = catalogue.retirement(self.vm_size)
        if retired is None or retired.on > today or self.allow_retired:
            return
        instead = f"pass --azureml-vm-size {retired.successor}"
        raise InputError(
            f"the VM size {retired.name} was retired on {retired.on}",
            received=f"--azureml-vm-size {self.vm_size}",
            expected=f"a current one: {retired.successor}",
            hint=f"{instead}, or --azureml-allow-retired if Azure still offers it; {catalogue.age(today)}",
        )

    def warnings(self, today: date) -> list[str]:
        """Lists what the user should know about these settings, one sentence each.

        Args:
            today: The day, for sizes that are retired or will be.
        """
        found = []
        retired = catalogue.retirement(self.vm_size)
        if retired:
            tense = "was" if retired.on <= today else "will be"
            found.append(f"the VM size {retired.name} {tense} retired on {retired.on}; {retired.successor} is current")
        elif catalogue.find(self.vm_size) is None:
            found.append(
                f"stoker doesn't know the VM size {self.vm_size} ({catalogue.age(today)}); Azure may refuse it"
            )
        if not catalogue.may_have_gpu(self.vm_size):
            found.append(f"nodes of the size {self.vm_size} have no GPU")
        idle = catalogue.idle_gpus(self.vm_size)
        if idle:
            found.append(idle)
        if self.min_nodes:
            price = f"{self.min_nodes * 24} node-hours a day"
            found.append(f"the cluster keeps {self.min_nodes} of its nodes when idle: {price}, until it is deleted")
        if self.low_priority:
            found.append(
                "low priority: Azure may take nodes away; the job then continues after its last finished epoch"
            )
        changing = changing_tag(self.image)
        if changing:
            found.append(f"the image {self.image} has {changing}, so it may change from one day to the next")
        return found

    def _check_access(self) -> None:
        """Checks what a new cluster gets. The SDK drops `enable_node_public_ip` without a subnet: that is refused."""
        if self.identity or self.subnet:
            from . import resource

            known = self.identity in {"", resource.SYSTEM} or resource.identity(self.identity)
            self._check("identity", bool(known), f"{resource.SYSTEM!r}, or {resource.IDENTITY_ID}")
            good = not self.subnet or resource.subnet(self.subnet)
            self._check("subnet", bool(good), f"VNET/SUBNET, or {resource.SUBNET_ID}")
        if self.no_public_ip and not self.subnet:
            hint = "add --azureml-subnet, or leave out --azureml-no-public-ip"
            raise OptionError("--azureml-no-public-ip needs a subnet: nodes outside of one have addresses", hint=hint)

    def _refuse_secrets(self) -> None:
        """Refuses a text with a secret in it, unless it names a file: all others go to Azure."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "config"}
        defaults = {entry.name: entry.default for entry in fields(self)}
        for name, value in values.items():
            if not isinstance(value, str) or value == defaults[name]:
                continue
            from ...engine.packaging import secrets  # late, for the help of `train` only takes the defaults

            is_file = name == "environment" and not is_registered(value)
            finding = None if is_file else secrets.find_in_value(name, value)
            if finding:
                raise OptionError(
                    f"{_option(name)} may not leave this machine: it holds {finding.what}", hint="choose another name"
                )

    def _check(self, name: str, good: bool, expected: str, hint: str = "") -> None:
        if not good:
            raise OptionError.must_be(_option(name), expected, received=repr(getattr(self, name)), hint=hint)


def _option(name: str) -> str:
    return f"--azureml-{name.replace('_', '-')}"


def changing_tag(image: str) -> str:
    """Says by which tag an image may be another one tomorrow, "no tag" or "the tag latest"; "" if it stays the same."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "no tag" if not tag else "the tag latest" if tag == "latest" else ""


def is_registered(environment: str) -> bool:
    """Returns whether a value can be the name of a registered environment, "NAME" or "NAME:VERSION", and not a file."""
    return bool(re.fullmatch(_ASSET, environment)) and not environment.lower().endswith((".yml", ".yaml"))
