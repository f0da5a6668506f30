"""Models from a user's file: which functions an error offers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from stoker.engine.errors import UnknownNameError
from stoker.models.file import builders, check

FILES = {
    "helpers and imports": (
        "import keras\nfrom keras.layers import Dense\n"
        "def block(x): return Dense(3)(x)\n"
        "def two(x, y): return x\n"
        "def _hidden(settings): return 1\n"
        "class Layer: ...\n"
        "def nothing(): return 2\n"
        "def small(settings): return block(settings)\n"
        "def large(settings, depth=3): return block(settings)\n",
        ["small", "large"],
    ),
    "those that say so": (
        "def scale(x): return x\n"
        "def small(config): return 1\n"
        "def large(c: ModelConfig, *, wide=True): return 2\n"
        "def needs(config, *, wide): return 3\n",
        ["small", "large"],
    ),
    "called by a class": (
        "def norm(x): return x\nclass A:\n    def f(self): return norm(1)\ndef net(x): ...\n",
        ["net"],
    ),
    "none": ("def one(): ...\ndef two(a, b): ...\nX = 3\n", []),
}


@pytest.mark.parametrize(("text", "names"), FILES.values(), ids=FILES)
def test_only_builders_are_offered(text: str, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert builders(ast.parse(text)) == names
    (tmp_path / "models.py").write_text(text)
    with pytest.raises(UnknownNameError) as caught:
        check(tmp_path / "models.py", "build")
    assert caught.value.known == tuple(sorted(names))
    words = f"--model models.py:{names[0]}" if names else "def build(config): …"
    assert words in caught.value.hint


def test_a_function_that_is_not_offered_can_still_be_named(tmp_path: Path):
    (tmp_path / "models.py").write_text(FILES["helpers and imports"][0])
    for name in ("block", "Layer", "Dense", "small"):
        check(tmp_path / "models.py", name)
