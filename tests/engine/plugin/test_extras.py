"""Versions are asked of what is there, whatever the distribution is called that it comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stoker.engine.packaging.isolation import hide_undeclared_packages
from stoker.engine.packaging.requirements import canonical
from stoker.engine.plugin import extras
from stoker.engine.plugin.extras import install_command, module_version, providers
from stoker.engine.training.environment import imported_version


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder on Python's path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    extras._owners.cache_clear()
    return tmp_path


def install(site: Path, module: str, distribution: str = "", version: str = "1.2.3", needs: str = "") -> None:
    """Installs a module, with the metadata of a distribution unless that has no name."""
    (site / module).mkdir()
    (site / module / "__init__.py").write_text("raise SystemExit('imported')")
    if distribution:
        metadata = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        need = f"Requires-Dist: {needs}\n" if needs else ""
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{need}")
        (metadata / "top_level.txt").write_text(f"{module}\n")


def test_an_extra_is_installed_from_where_stoker_is_and_into_the_python_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "executable", "/a b/python")
    monkeypatch.setattr(extras, "_ROOT", tmp_path)
    assert install_command("mlflow") == "'/a b/python' -m pip install 'stoker[mlflow]'"
    (tmp_path / "pyproject.toml").write_text("")
    assert install_command("mlflow") == f"'/a b/python' -m pip install --editable '{tmp_path}[mlflow]'"


def test_a_module_is_found_under_the_name_of_its_own_and_of_another_distribution(site: Path):
    install(site, "burner", "burner")
    install(site, "grate", "grate-cpu", "2.0.0.dev5")
    assert providers("burner") == {"burner": "1.2.3"}
    assert providers("grate") == {"grate-cpu": "2.0.0.dev5"}
    assert module_version("burner") == "1.2.3"
    assert module_version("grate") == "2.0.0.dev5 (grate-cpu)"


def test_a_module_that_no_distribution_is_known_to_have_is_told_from_another_by_its_file(site: Path):
    install(site, "kiln")
    assert providers("kiln") == {}
    before = module_version("kiln")
    assert str(site / "kiln" / "__init__.py") in before
    (site / "kiln" / "__init__.py").write_text("")
    assert module_version("kiln") != before


def test_what_is_not_installed_has_no_version_even_if_metadata_were_left_behind(site: Path):
    install(site, "hearth", "hearth")
    (site / "hearth" / "__init__.py").unlink()
    (site / "hearth").rmdir()
    assert (providers("hearth"), module_version("hearth")) == ({}, "")


def test_a_module_that_is_imported_is_asked_itself(monkeypatch: pytest.MonkeyPatch):
    import numpy

    monkeypatch.setattr("importlib.metadata.version", None)
    assert imported_version("numpy") == numpy.__version__
    monkeypatch.delattr(numpy, "__version__")
    assert imported_version("numpy") == "unknown"


@pytest.mark.parametrize("name", ["tensorflow-cpu", "tf_nightly", "tensorflow-macos", "tensorflow-rocm", "TensorFlow"])
def test_every_distribution_that_brings_tensorflow_stands_for_it(name: str):
    assert canonical(name) == "tensorflow"


def test_a_rehearsal_sees_what_tensorflow_needs_under_whatever_name_it_is_installed(site: Path):
    install(site, "tensorflow", "tensorflow-macos", needs="spare-part")
    install(site, "spare_part", "spare-part")
    install(site, "not_needed", "not-needed")
    hiding = hide_undeclared_packages(["tensorflow"])
    assert "'not_needed'" in hiding
    assert "'spare_part'" not in hiding
    assert "'tensorflow'" not in hiding
    assert "imported" not in sys.modules
