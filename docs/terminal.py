"""Draws docs/terminal.svg: a real run in a pseudo-terminal, its live display as it stands near the end.

Run it with the Python that stoker is installed for: `python docs/terminal.py`; options of `train` may follow.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS, LINES = 116, 30
AT = r"run .* 8[2-4]%"
"""The screen is taken when it first shows this."""

_CLI = Path(__file__).resolve().parents[1] / "cli.py"
_TARGET = Path(__file__).with_name("terminal.svg")
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_TOKEN = re.compile(r"\r\n|\r|\n|\x1b\[\??[\d;]*[A-Za-z]|[^\r\n\x1b]+")
_UNSEEN = re.compile(r"\x1b\[\?.*")
_UP = re.compile(r"\x1b\[(\d*)A")
_THEME = TerminalTheme(  # background, foreground, then the eight colours and their bright forms
    (22, 27, 34),
    (201, 209, 217),
    [
        *((72, 79, 88), (255, 123, 114), (126, 231, 135), (210, 153, 34)),
        *((121, 192, 255), (210, 168, 255), (86, 212, 221), (177, 186, 196)),
    ],
    [
        *((110, 118, 129), (255, 161, 152), (126, 231, 135), (227, 179, 65)),
        *((165, 214, 255), (226, 197, 255), (125, 227, 234), (240, 246, 252)),
    ],
)


class Screen:
    """As much of a terminal as the live display needs: lines that are written, erased and gone back to."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = 0

    def feed(self, text: str) -> None:
        """Takes what the program wrote."""
        for token in _TOKEN.findall(text):
            if "\n" in token:
                self._row += 1
                if self._row == len(self._lines):
                    self._lines.append("")
            elif up := _UP.fullmatch(token):
                self._row = max(0, self._row - int(up[1] or 1))
            elif token == "\x1b[2K":
                self._lines[self._row] = ""
            elif token != "\r" and not _UNSEEN.fullmatch(token):
                self._lines[self._row] += token

    def text(self) -> Text:
        """What it shows, without empty lines at the end."""
        return Text.from_ansi("\n".join(self._lines).rstrip())


def run(arguments: list[str]) -> str:
    """Trains in a terminal of its own, in a folder that is gone afterwards; all that it writes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, str(_CLI), "train", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STOKER_", "NO_COLOR"))}
    environment = kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as folder, os.fdopen(ours, "rb", buffering=0) as terminal:
        with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
            os.close(theirs)
            return b"".join(_pieces(terminal)).decode()


def _pieces(terminal: io.FileIO) -> Iterator[bytes]:
    """What is read from a terminal until its other end is closed, which Linux reports as an error."""
    with contextlib.suppress(OSError):
        while piece := terminal.read(1 << 16):
            yield piece


def at(moment: str, written: str) -> Text:
    """The screen when `moment` was on it for the first time, in a whole drawing."""
    screen = Screen()
    for drawing in re.split(r"(?=\r\x1b\[2K\x1b\[1A)", written):
        screen.feed(drawing)
        if re.search(moment, screen.text().plain):
            return screen.text()
    sys.exit(f"the display never showed {moment!r}; at last it showed:\n{screen.text().plain}")


def svg(text: Text) -> str:
    """A screen as a picture that needs nothing from the network."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text)
    style = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    style = style.replace("Fira Code, monospace", _FONTS).replace("font-family: arial", "font-family: sans-serif")
    return console.export_svg(title="stoker train", theme=_THEME, code_format=style, unique_id="stoker")


if __name__ == "__main__":
    _TARGET.write_text(svg(at(AT, run(sys.argv[1:]))), encoding="utf-8")
