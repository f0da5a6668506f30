"""What MkDocs is to know for `make site`: which files beside those of docs/ are pages, and where their links lead.

The pages are written for whoever reads them in the repository, so their links are those of the repository. On the site,
docs/ is the top, README.md is the home page, and every other file that a page links to lies where it lies here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HOME = "README.md"
PAGES = (
    *(HOME, "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "CHANGELOG.md"),
    *("examples/stoker-ray/README.md", "benchmarks/results/table.md"),
)
"""The pages outside of docs/."""

_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_BLOCK = re.compile(r"^```.*?^```$", re.M | re.S)


def on_config(config: Any) -> Any:
    """Gives headings the anchors that they have in the repository; called by MkDocs."""
    from pymdownx.slugs import slugify

    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages outside of docs/, and the files that pages link to; called by MkDocs."""
    from mkdocs.structure.files import File

    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    own = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
    linked = {target for page in (*PAGES, *own) for target in targets(page)}
    for page, text in texts.items():
        files.append(File.generated(config, site_path(page), content=text))
    for name in sorted(linked - set(PAGES)):
        if not name.startswith("docs/"):
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(text: str, page: Any, config: Any, files: Any) -> str:
    """Lets the links of a page lead to where their targets are on the site; called by MkDocs."""
    del config, files
    name = next((name for name in PAGES if site_path(name) == page.file.src_uri), f"docs/{page.file.src_uri}")
    return rewritten(text, name)


def rewritten(text: str, page: str) -> str:
    """Returns the text of a page of the repository with the links that it has on the site."""
    top = Path(site_path(page)).parent

    def replace(match: re.Match[str]) -> str:
        if "://" in match[2] or match[2].startswith("mailto:"):
            return match[0]
        there = os.path.relpath(site_path(_resolved(page, match[2])), top)
        return f"{match[1]}{Path(there).as_posix()}{match[3] or ''}{match[4]}"

    parts, end = [], 0
    for block in _BLOCK.finditer(text):
        parts += [_LINK.sub(replace, text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, _LINK.sub(replace, text[end:])])


def targets(page: str) -> Iterator[str]:
    """Yields the files of the repository that a page links to."""
    text = _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for match in _LINK.finditer(text):
        if "://" not in match[2] and not match[2].startswith("mailto:"):
            yield _resolved(page, match[2])


def site_path(name: str) -> str:
    """Returns where a file of the repository is on the site."""
    return "index.md" if name == HOME else name.removeprefix("docs/")


def _resolved(page: str, link: str) -> str:
    return Path(os.path.normpath(Path(page).parent / link)).as_posix()
