"""The net for secrets: what it catches and lets pass, as the docs say, and how a comment overrules it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stoker.engine.packaging import secrets
from stoker.engine.packaging.never import secret_name

from .secrets_corpus import BY_FORM, BY_NAME, HARMLESS_CODE, HARMLESS_FILES, HARMLESS_NAMES, NAMES, filled

ROOT = Path(__file__).resolve().parents[3]
HARMLESS = (*(("model.py", line) for line in HARMLESS_CODE), *HARMLESS_FILES)
TOKEN = filled('TOKEN = "gh^p_{A36}"')
COMMENT = "  # pragma: allowlist secret"


def found(file: str, template: str) -> list[secrets.Secret]:
    return secrets.find_all(filled(template).encode(), file)


def test_the_rates_are_those_of_the_docs():
    """The docs give, for each of four kinds, how many are caught of how many, and how much harmless text is taken."""
    text = " ".join((ROOT / "docs" / "azureml.md").read_text(encoding="utf-8").split())
    told = re.search(
        r"catches (\d+) of (\d+) keys and tokens by their form, (\d+) of (\d+) secrets by the name beside them, and "
        r"(\d+) of (\d+) files by their name; it takes (\d+) of (\d+) harmless texts and names for a secret",
        text,
    )
    assert told, "docs/azureml.md gives no rates"
    caught = [
        *(sum(bool(found(*one)) for one in BY_FORM), len(BY_FORM)),
        *(sum(bool(found(*one)) for one in BY_NAME), len(BY_NAME)),
        *(sum(bool(secret_name(name)) for name in NAMES), len(NAMES)),
        sum(bool(found(*one)) for one in HARMLESS) + sum(bool(secret_name(name)) for name in HARMLESS_NAMES),
        len(HARMLESS) + len(HARMLESS_NAMES),
    ]
    assert [int(number) for number in told.groups()] == caught


@pytest.mark.parametrize("number", range(len(BY_FORM)))
def test_a_key_or_token_of_a_usual_form_is_caught(number: int):
    file, template = BY_FORM[number]
    assert found(file, template), f"{file}: {template}"


@pytest.mark.parametrize("number", range(len(HARMLESS)))
def test_a_harmless_text_passes(number: int):
    file, template = HARMLESS[number]
    assert not found(file, template), f"{file}: {template}"


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_harmless_name_passes(name: str):
    assert secret_name(name) == ""


def test_what_nothing_gives_away_is_missed_as_the_docs_say():
    missed = [template for file, template in BY_NAME if not found(file, template)]
    assert {"The password of the database is kd93kdlQ.", 'pin = "4821"', "{h40}"} <= set(missed)


def test_the_corpus_holds_no_secret_that_a_scanner_would_take_for_one_of_a_service():
    text = Path(__file__).with_name("secrets_corpus.py").read_text(encoding="utf-8")
    kinds = {one.what for one in secrets.find_all(text.encode(), "corpus.py")}
    assert [kind for kind in kinds if kind.startswith(("a key of", "a token of", "a private key"))] == []


def test_no_finding_repeats_what_it_found():
    for file, template in (*BY_FORM, *BY_NAME):
        words = set(re.findall(r"\w{7,}", filled(template))) - set(re.findall(r"\w{7,}", template.replace("^", "")))
        said = " ".join(str(one) for one in found(file, template))
        assert not [word for word in words if word in said]


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN " + "RSA PRIVATE KEY-----",
        "-----BEGIN " + "PRIVATE KEY-----",
        "key = 'AKIA" + "IOSFODNN7EXAMPLE'",
        "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + "a" * 86 + "==",
        "https://x.blob.core.windows.net/c/b?sv=2021&sig=" + "a" * 43 + "%3D",
        "secret = abc8Q~" + "x" * 34,
        "ghp_" + "a" * 36,
        "hf_" + "a" * 34,
        "https://user:" + "hunter22@example.org/repo.git",
        "https://" + "a" * 20 + "@github.com/x.git",
        'PASSWORD = "' + 'correct-horse"',
        "{'api_key': " + "'12345678abc'}",
        "Bearer eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4",
    ],
)
def test_a_secret_in_a_text_is_found_and_not_repeated(text: str):
    finding = secrets.find(f"first line\nsecond {text}\n".encode())
    assert finding is not None
    assert finding.line == 2
    assert text[-8:] not in str(finding)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/a@b",
        "git@github.com:x/y.git",
        "password = os.environ['PASSWORD']",
        "def f(api_key: str) -> None: ...",
        '{"pad_token": "<|endoftext|>"}',
        "url = f'https://{user}:{password}@host'",
        "email: someone@example.org",
        "sha256:" + "a" * 64,
        "",
    ],
)
def test_what_only_resembles_a_secret_is_let_pass(text: str):
    assert secrets.find(text.encode()) is None


def test_a_file_that_is_no_text_is_not_searched():
    assert secrets.find(b"\0ghp_" + b"a" * 36) is None


def test_a_text_of_a_windows_editor_is_searched():
    assert secrets.find(f"first\r\n{TOKEN}\r\n".encode("utf-16"), "a.txt") == secrets.Secret("a token of GitHub", 2)


@pytest.mark.parametrize(
    ("file", "line", "caught"),
    [
        ("a.py", "password = hunter2", False),
        ("a.ini", "password = hunter2", True),
        ("a.md", "password: forgotten", False),
        ("a.yaml", "password: forgotten", True),
        (".env", "PASSWORD=forgotten", True),
        ("", "password = hunter2", False),
        ("", "password = 'hunter2'", True),
    ],
)
def test_the_name_of_a_file_says_how_values_are_written_in_it(file: str, line: str, caught: bool):
    assert bool(secrets.find(line.encode(), file)) is caught


@pytest.mark.parametrize("file", ["a.py", "a.yaml", "a.ini"])
def test_a_comment_lets_its_own_line_pass_and_no_other(file: str):
    found = secrets.find_all(f"{TOKEN}{COMMENT}\n{TOKEN}\n{COMMENT}\n".encode(), file)
    assert [(one.line, one.allowed) for one in found] == [(1, True), (2, False)]


def test_the_comment_lets_pass_what_reads_private_keys_but_no_key_of_several_lines():
    reads = 'if line == "-----BEGIN ' + f'PRIVATE KEY-----":{COMMENT}'
    key = 'KEY = """-----BEGIN ' + f'PRIVATE KEY-----\nMIIE\n"""{COMMENT}\n'
    assert [one.allowed for one in secrets.find_all(f"{reads}\n{key}".encode(), "a.py")] == [True, False]


def test_each_line_is_named_once():
    found = secrets.find_all(f"{TOKEN}; {TOKEN}\n\n{TOKEN}".encode(), "a.py")
    assert [one.line for one in found] == [1, 3]


@pytest.mark.parametrize("text", ["password" * 9999, "key" + " " * 9999, "://" * 9999, "a" * 99999, "sk-" * 9999])
def test_a_text_without_end_is_searched_in_time(text: str):
    assert secrets.find_all(text.encode(), "a.yaml") == []


def test_stoker_itself_may_go():
    """No false alarm in some 20,000 lines of Python; `secrecy.py` has a secret for the suite to look for."""
    parts = ("engine", "plugins", "datasets", "models", "benchmarks")
    paths = [path for part in parts for path in sorted((ROOT / part).rglob("*.py"))]
    assert [path.name for path in paths if secrets.find(path.read_bytes(), path.name)] == ["secrecy.py"]
