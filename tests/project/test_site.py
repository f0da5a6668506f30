"""The site has every page, and links that lead to where their targets are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stoker.engine.plugin.discovery import import_file

ROOT = Path(__file__).resolve().parents[2]
PAGES: Any = import_file(ROOT / "docs/site_pages.py")
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
OWN = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))


def listed(entries: Any) -> Iterator[str]:
    """The pages below an entry of the navigation."""
    if isinstance(entries, str):
        yield entries
    else:
        for entry in entries.values() if isinstance(entries, dict) else entries:
            yield from listed(entry)


def test_each_page_is_in_the_navigation_once() -> None:
    assert sorted(listed(CONFIG["nav"])) == sorted(PAGES.site_path(page) for page in (*PAGES.PAGES, *OWN))


@pytest.mark.parametrize("page", [*PAGES.PAGES, *OWN])
def test_each_link_of_a_page_leads_to_a_file_of_the_repository(page: str) -> None:
    assert [target for target in PAGES.targets(page) if not (ROOT / target).is_file()] == []


@pytest.mark.parametrize(
    ("page", "link", "there"),
    [
        ("README.md", "docs/azureml.md#options", "azureml.md#options"),
        ("README.md", "examples/own_data.py", "examples/own_data.py"),
        ("README.md", "#train", "#train"),
        ("README.md", "https://example.org/docs/x.md", "https://example.org/docs/x.md"),
        ("docs/plugins.md", "../examples/notify.py", "examples/notify.py"),
        ("docs/plugins.md", "contract.md#stoker_models", "contract.md#stoker_models"),
        ("docs/plugins.md", "../README.md#data", "index.md#data"),
        ("examples/stoker-ray/README.md", "../../README.md", "../../index.md"),
        ("examples/stoker-ray/README.md", "../../docs/plugins.md", "../../plugins.md"),
    ],
)
def test_a_link_leads_to_where_its_target_is_on_the_site(page: str, link: str, there: str) -> None:
    assert PAGES.rewritten(f"see [it]({link}).", page) == f"see [it]({there})."


def test_what_is_code_stays_as_it_is() -> None:
    text = "```python\nx = [1](docs/data.md)\n```\n[data](docs/data.md)\n"
    assert PAGES.rewritten(text, "README.md") == "```python\nx = [1](docs/data.md)\n```\n[data](data.md)\n"


def test_nothing_comes_from_elsewhere() -> None:
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["plugins"] == ["search"]
    assert {"extra_css", "extra_javascript", "extra", "repo_url"} & CONFIG.keys() == set()
