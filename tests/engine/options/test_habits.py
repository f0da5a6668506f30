"""What people type out of habit is answered by what stoker calls it, or by where it is set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stoker.cli import Parsers
from stoker.engine.errors import OptionError
from stoker.engine.options.habits import OPTIONS, SENTENCES, hint
from stoker.engine.options.parser import option_strings, sub_parsers
from stoker.engine.options.settings import Settings
from stoker.engine.plugin.plugins import Plugins

TOP = Parsers(Plugins.load())()
BELOW = sub_parsers(TOP)
assert BELOW
TRAIN = BELOW.choices["train"]
KNOWN = {name.lstrip("-") for name in option_strings(TRAIN)}


def answered(*words: str) -> str:
    """Returns the hint for a command line that is refused."""
    with pytest.raises(OptionError, match="unknown option") as caught:
        Settings().parse(TOP, words)
    return caught.value.hint


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--lr", "--learning-rate"),
        ("--bs", "--batch-size"),
        ("--batchsize", "--batch-size"),
        ("--batch_size", "--batch-size"),
        ("--per_device_train_batch_size=8", "--batch-size"),
        ("-b", "--batch-size"),
        ("--epoch", "--epochs"),
        ("--max_epochs", "--epochs"),
        ("--num-train-epochs", "--epochs"),
        ("--data-dir", "--data-folder"),
        ("--dataset-dir", "--data-folder"),
        ("--out", "--runs-dir"),
        ("--output_dir", "--runs-dir"),
        ("--val-split", "--validation-fraction"),
        ("--validation_split", "--validation-fraction"),
        ("--accelerator", "--device"),
        ("--random-state", "--seed"),
        ("--ckpt-path", "--resume"),
        ("--LR", "--learning-rate"),
        ("--learning-rat", "--learning-rate"),
    ],
)
def test_another_programs_option_is_answered_by_ours(typed: str, meant: str):
    assert answered("train", typed, "3") == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--optimizer", "model.compile(optimizer=…)"),
        ("--weight-decay", "model.compile(optimizer=…)"),
        ("--gpu", "--device gpu"),
        ("--gpus", "CUDA_VISIBLE_DEVICES"),
        ("--workers", "--threads"),
        ("--num_workers", "--threads"),
        ("--verbose", "--quiet"),
        ("-v", "--quiet"),
        ("--fp16", "mixed_precision"),
        ("--shuffle", "--seed"),
        ("--config", "stoker.toml"),
    ],
)
def test_what_is_no_option_is_answered_by_where_it_is_set(typed: str, words: str):
    assert words in answered("train", typed, "3")
    assert words in answered("plan", typed, "3")


def test_the_help_is_never_what_somebody_meant():
    for name in (*OPTIONS, *SENTENCES, "hlep", "hel", "helper", "halp", "zebra", "x"):
        for parser in (TRAIN, BELOW.choices["models"]):
            known = {each.lstrip("-") for each in option_strings(parser)}
            assert "help" not in hint(name, known, str), name


def test_every_answer_names_options_that_there_are():
    offered = {option for options in OPTIONS.values() for option in options}
    assert offered - KNOWN == {"early-stopping-patience", "output"}  # of an example, and of `runs fetch`
    assert not set(OPTIONS) & set(SENTENCES)
    assert not (set(OPTIONS) | set(SENTENCES)) & KNOWN
    for sentence in {each for answers in SENTENCES.values() for each in answers}:
        named = {word.strip("-;,.:") for word in sentence.split() if word.startswith("--")}
        assert named <= KNOWN | {"debug", "output"}, sentence


def test_the_answer_depends_on_the_options_of_the_command():
    assert answered("runs", "fetch", "--output", "x", "--out", "x") == "did you mean --output?"
    assert answered("data", "info", "--data-dir", "x") == "did you mean --data-folder?"
    assert "did you mean" not in answered("data", "info", "--lr", "1")
    assert "compile" not in answered("runs", "list", "--optimizer", "adam")


def test_the_settings_file_and_the_environment_are_answered_too(tmp_path: Path):
    (tmp_path / "stoker.toml").write_text("lr = 0.1\noptimizer = 'adam'\n")
    settings = Settings.find(tmp_path, {**os.environ, "STOKER_BS": "3"})
    hints = [error.hint for error in settings.unknown_names(TOP)]
    assert hints[0] == "did you mean 'learning-rate'?"
    assert "model.compile" in hints[1]
    assert [error.hint for error in settings.unknown_variables(TOP)] == ["did you mean STOKER_BATCH_SIZE?"]
