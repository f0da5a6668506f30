"""What is installed, from where it runs, and what it leaves alone: see the section on packaging in pyproject.toml."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from ..patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("engine", "plugins", "datasets", "models")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
SITE = sysconfig.get_path("purelib")
NOT_COPIED = ("[!.]*.egg-info", ".[!c]*", "__pycache__", "build", "dist")
FOLDER_NAMES = ("stoker", "stoker-main", "a b", "it's", 'a "b"', "héllo")
PROBE = """
import datasets, models
print("imported", datasets.OWNER, models.OWNER)
"""


def packages() -> list[str]:
    """The packages of the tree, by name: every folder with an `__init__.py`."""
    folders = [folder.parent for part in PARTS for folder in (ROOT / part).rglob("__init__.py")]
    return sorted(".".join(("stoker", *folder.relative_to(ROOT).parts)) for folder in folders)


def members() -> set[str]:
    """The files that belong to the package, relative to the checkout."""
    python = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    typed = [path for part in PARTS for path in (ROOT / part).rglob("py.typed")]
    bundled = (ROOT / "datasets" / "bundled").iterdir()
    templates = (ROOT / "plugins" / "commands" / "scaffold" / "templates").iterdir()
    own = [ROOT / "cli.py", ROOT / "__main__.py", ROOT / "py.typed"]
    return {path.relative_to(ROOT).as_posix() for path in (*own, *python, *typed, *bundled, *templates)}


def run(*command: str | Path, cwd: Path, path: tuple[Path | str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs a command with no more on the module path than `path`; it must not ask for anything."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STOKER_"))}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )


def succeed(*command: str | Path, cwd: Path, path: tuple[Path | str, ...] = ()) -> str:
    """What a command prints; it must succeed and have nothing to complain about."""
    done = run(*command, cwd=cwd, path=path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def copy_checkout(target: Path, *, data: bool = True) -> Path:
    """The checkout without what was made in it; `data=False` leaves the bundled data out."""
    patterns = shutil.ignore_patterns(*NOT_COPIED, *([] if data else ["bundled"]))

    def left_out(folder: str, names: list[str]) -> set[str]:
        return set(patterns(folder, names)) | ({"runs"} if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, target, ignore=left_out)
    return target


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to build in, for a build writes into its source."""
    return copy_checkout(tmp_path_factory.mktemp("source") / "checkout")


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the setuptools of this environment."""
    target = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "wheel", "--no-deps")
    done = run(*pip, "--no-build-isolation", "--wheel-dir", target, source, cwd=target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target / f"stoker-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    target = tmp_path_factory.mktemp("sdist")
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(target)!r})"
    done = run(sys.executable, "-c", build, cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    return target / f"stoker-{VERSION}.tar.gz"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel, and nothing else, is installed in."""
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--no-deps")
    done = run(*pip, "--no-index", "--target", target, wheel, cwd=target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with other people's packages `datasets` and `models`, and a plugin that uses them."""
    for name in ("datasets", "models"):
        package = tmp_path / "others" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("OWNER = 'somebody else'\n", encoding="utf-8")
    (tmp_path / "others" / "probe.py").write_text(PROBE, encoding="utf-8")
    return tmp_path / "others"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has no packages at all."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def test_every_package_of_the_tree_is_listed_and_nothing_else() -> None:
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == ["stoker", *packages()]


def test_the_root_is_no_package() -> None:
    assert not (ROOT / "__init__.py").exists()


@pytest.mark.parametrize("part", ["", *PARTS])
def test_every_part_says_that_it_is_typed(part: str) -> None:
    """A marker holds for all packages below it."""
    assert (ROOT / part / "py.typed").is_file()


def test_the_version_is_one() -> None:
    assert f'VERSION = "{VERSION}"' in (ROOT / "engine/__init__.py").read_text(encoding="utf-8")


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    metadata = {name for name in names if name.startswith(f"stoker-{VERSION}.dist-info/")}
    licenses = {name.partition("/licenses/")[2] for name in metadata if "/licenses/" in name}
    assert names - metadata == {f"stoker/{name}" for name in members()}
    assert {"METADATA", "RECORD", "WHEEL", "entry_points.txt"} <= {Path(name).name for name in metadata}
    assert licenses == {"LICENSE", "datasets/bundled/NOTICE.txt"}


def test_the_source_distribution_holds_what_building_and_testing_take(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        files = {entry.name.partition("/")[2] for entry in archive if entry.isfile()}
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "MANIFEST.in", ".ci/run"}
    assert wanted | members() | tests <= files
    assert not [name for name in files if "__pycache__" in name or name.startswith((".venv", "runs", "build"))]


def test_a_wheel_from_the_source_distribution_is_the_same(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    done = run(sys.executable, "-c", build, cwd=tmp_path / f"stoker-{VERSION}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(zipfile.ZipFile(tmp_path / wheel.name).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_installed_package_runs_as_a_module(installed: Path, tmp_path: Path) -> None:
    # -S: packages of this environment are found, an editable stoker among them is not.
    said = succeed(sys.executable, "-S", "-m", "stoker", "--version", cwd=tmp_path, path=(installed, SITE))
    assert said == f"stoker {VERSION}\n"


def test_the_console_script_runs(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / "stoker"
    assert os.access(script, os.X_OK)
    said = succeed(sys.executable, "-S", script, "--version", cwd=tmp_path, path=(installed, SITE))
    assert said == f"stoker {VERSION}\n"


def test_the_installed_command_line_runs_as_a_file(installed: Path, tmp_path: Path) -> None:
    script = installed / "stoker" / "cli.py"
    assert "train" in succeed(sys.executable, "-S", script, "--help", cwd=tmp_path, path=(SITE,))


def test_the_installed_package_has_its_bundled_data(installed: Path) -> None:
    bundled = {path.name for path in (ROOT / "datasets" / "bundled").iterdir()}
    assert {path.name for path in (installed / "stoker" / "datasets" / "bundled").iterdir()} == bundled


def test_installed_beside_other_datasets_and_models_it_leaves_them_alone(
    installed: Path, others: Path, tmp_path: Path
) -> None:
    code = "import datasets, models, stoker.datasets, stoker.models; print(datasets.OWNER, models.OWNER)"
    said = succeed(sys.executable, "-S", "-c", code, cwd=tmp_path, path=(installed, others, SITE))
    assert said == "somebody else somebody else\n"


@pytest.mark.parametrize("start", [("-m", "stoker"), ("cli.py",)], ids=["module", "file"])
def test_a_plugin_of_an_installed_stoker_imports_other_datasets(
    start: tuple[str, ...], installed: Path, others: Path, tmp_path: Path
) -> None:
    words = start if start[0] == "-m" else (installed / "stoker" / "cli.py",)
    command = (sys.executable, "-S", *words, "-p", others / "probe.py", "plugins")
    done = run(*command, cwd=tmp_path, path=(installed, others, SITE))
    assert "imported somebody else somebody else" in done.stdout + done.stderr
    assert done.returncode == 0


@pytest.fixture(scope="module", params=FOLDER_NAMES)
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in a folder of that name."""
    return copy_checkout(tmp_path_factory.mktemp("folders") / request.param, data=False)


def test_a_checkout_runs_in_a_folder_of_any_name(checkout: Path, tmp_path: Path) -> None:
    assert "train" in succeed(sys.executable, "-S", "cli.py", "--help", cwd=checkout, path=(SITE,))
    assert "train" in succeed(sys.executable, "-S", checkout / "cli.py", "--help", cwd=tmp_path, path=(SITE,))


def test_a_plugin_imports_other_datasets_in_a_checkout(checkout: Path, others: Path) -> None:
    command = (sys.executable, "-S", "cli.py", "-p", others / "probe.py", "plugins")
    done = run(*command, cwd=checkout, path=(others, SITE))
    assert "imported somebody else somebody else" in done.stdout + done.stderr
    assert done.returncode == 0


def test_a_checkout_called_stoker_runs_as_a_module_from_beside_it(tmp_path: Path) -> None:
    copy_checkout(tmp_path / "stoker", data=False)
    said = succeed(sys.executable, "-S", "-m", "stoker", "--version", cwd=tmp_path, path=(SITE,))
    assert said == f"stoker {VERSION}\n"


def test_without_packages_one_line_says_what_is_missing_and_helps(checkout: Path, bare: Path, tmp_path: Path) -> None:
    done = run(bare, checkout / "cli.py", "train", cwd=tmp_path)
    helps = f"make -C {shlex.quote(str(checkout))} train"
    expected = f"error: the package 'pluggy' is not installed for {bare}; try: {helps}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_without_packages_the_environment_of_the_checkout_is_named_when_there_is_one(
    bare: Path, tmp_path: Path
) -> None:
    checkout = copy_checkout(tmp_path / "my checkout", data=False)
    venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    done = run(bare, "cli.py", "train", "--name", "a b", cwd=checkout)
    helps = shlex.join([str(checkout / ".venv/bin/python"), str(checkout / "cli.py"), "train", "--name", "a b"])
    expected = f"error: the package 'pluggy' is not installed for {bare}; try: {helps}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_without_packages_an_installed_stoker_names_the_package_to_install(
    installed: Path, bare: Path, tmp_path: Path
) -> None:
    done = run(bare, "-m", "stoker", "train", cwd=tmp_path, path=(installed,))
    expected = f"error: the package 'pluggy' is not installed for {bare}; try: {bare} -m pip install pluggy\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def old_interpreters() -> list[str]:
    """The Pythons on PATH that are too old for stoker and run."""
    found = [path for minor in (8, 9, 10) if (path := shutil.which(f"python3.{minor}"))]
    return [path for path in found if run(path, "-c", "", cwd=ROOT).returncode == 0]


@pytest.mark.parametrize("name", ["cli.py", "__main__.py"])
def test_an_old_python_can_parse_the_file_that_refuses_it(name: str) -> None:
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_each_old_python_on_this_machine_is_refused_in_one_line(tmp_path: Path) -> None:
    for python in old_interpreters():
        done = run(python, ROOT / "cli.py", "train", cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("error: stoker needs Python 3.11 or newer; this is 3.")
        assert done.stderr.count("\n") == 1
