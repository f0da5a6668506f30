# Sets up, trains, tests and checks this checkout.
#
#   make train                       trains at the defaults; ARGS="--epochs 3" passes options
#   make test                        runs the tests; ARGS="-k packaging" passes options
#   make check                       format, lint, import rules, types, docs in step; -k continues after a failure
#   make quick                       the first three of those, which take seconds
#   make coverage                    runs the tests, measures which lines they run, and fails where those are too few
#   make bench                       measures against other trainers; PEERS=/path/to/python has those; ARGS="epoch whole"
#   make faults                      kills trainings at every moment, and runs the rest of long tables; 60 minutes
#   make docs                        writes docs/contract.md from the docstrings, and docs/map.svg from the imports
#   make site                        makes a site of the documentation, in build/site, with no link that leads nowhere
#   make ray                         tests examples/stoker-ray against a Ray head on this machine, in .venv-ray
#   make setup                       only sets up
#   make train PYTHON=python3.12     sets up with that interpreter
#   make clean                       removes what these made, .venv too; runs stay
#   make help                        prints this list
#
# There is one environment, .venv (`make ray` has its own), and nothing is done twice. Every path here is relative,
# because the path of the checkout may hold spaces and quotes. GNU make 3.81, the one of macOS, is enough.

.DEFAULT_GOAL := train
.PHONY: train test check quick coverage bench faults docs site ray setup clean help format lint imports types pages force
.NOTPARALLEL:

export PYTHON PEERS
PYTHON ?=
PEERS ?=
ARGS ?=
EXAMPLES := $(wildcard examples/*.py)
OURS := .venv/bin/python
RAYS := .venv-ray/bin/python
PIP := $(OURS) -m pip install --quiet --disable-pip-version-check

train: .venv/.installed
	@$(OURS) cli.py train $(ARGS)

test: .venv/.dev
	@$(OURS) -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope $(ARGS)

check: quick types pages

quick: format lint imports

format: .venv/.dev
	@$(OURS) -m ruff format --check .

lint: .venv/.dev
	@$(OURS) -m ruff check .

# Type checkers see the package under its installed name; the root itself can't be linked, for it would hold itself.
types: .venv/.dev
	@rm -rf build/types && mkdir -p build/types/stoker
	@cd build/types/stoker && for member in cli.py __main__.py py.typed engine plugins datasets models benchmarks; do \
	  ln -s "../../../$$member" "$$member"; done
	@$(OURS) -m mypy
	@$(if $(EXAMPLES),$(OURS) -m mypy $(EXAMPLES))

imports: .venv/.dev
	@$(OURS) -m pytest --quiet tests/project/test_imports.py \
	  tests/project/test_packaging.py::test_every_package_of_the_tree_is_listed_and_nothing_else

pages: .venv/.dev
	@$(OURS) -m pytest --quiet $(wildcard tests/project/test_docs.py)

# Most of the suite runs stoker in processes of its own, which are measured too; see [tool.coverage] in pyproject.toml.
coverage: .venv/.dev
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(OURS) -m coverage run -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope $(ARGS)
	@$(OURS) -m coverage combine --quiet
	@$(OURS) -m coverage report

bench: .venv/.installed
	@$(OURS) benchmarks --peers "$$PEERS" $(ARGS)

faults: .venv/.dev
	@$(OURS) -m pytest -m faults tests/faults tests/contract tests/commands tests/engine/training $(ARGS)

docs: .venv/.dev
	@$(OURS) docs/make_contract.py
	@$(OURS) docs/make_map.py

site: .venv/.docs
	@NO_MKDOCS_2_WARNING=1 $(OURS) -m mkdocs --quiet build --strict

ray: .venv-ray/.installed
	@rm -rf build/lib examples/stoker-ray/build
	@$(RAYS) -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall . ./examples/stoker-ray
	@rm -rf build/lib examples/stoker-ray/build
	@cd examples/stoker-ray && "../../$(RAYS)" -m pytest $(ARGS)

setup: .venv/.installed

help:
	@sed -n 's/^#   //p' Makefile

clean:
	rm -rf .venv .venv-ray build dist stoker.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./runs -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is the last thing that a rule writes, so that an interrupted one starts again.
.venv/.dev: pyproject.toml .venv/.made
	@echo 'setting up .venv with the tools for tests and checks (once)'
	@$(PIP) --editable '.[dev]'
	@touch .venv/.installed $@

.venv/.docs: pyproject.toml .venv/.made
	@echo 'setting up .venv with what makes the site (once)'
	@$(PIP) --editable '.[docs]'
	@touch .venv/.installed $@

.venv/.installed: pyproject.toml .venv/.made
	@echo 'setting up .venv (once, a few minutes)'
	@$(PIP) --editable .
	@touch $@

# Ray is big, and nothing else needs it.
.venv-ray/.installed: pyproject.toml examples/stoker-ray/pyproject.toml .venv/.made
	@echo 'setting up .venv-ray (once, a few minutes)'
	@rm -rf .venv-ray && $(OURS) -m venv .venv-ray
	@$(RAYS) -m pip install --quiet --disable-pip-version-check . './examples/stoker-ray[test]'
	@touch $@

# Looked at each time, written only when .venv is new, so that nothing follows from a look. An environment is made again
# when the checkout was moved or copied, when it does not run, or when PYTHON names another interpreter. One that a user
# made by hand has no stamp yet: if it runs and has pip, it is taken as it is.
.venv/.made: force
	@{ if [ -e $@ ]; then [ "$$(cat $@)" = "$$(pwd -P)" ]; else $(OURS) -m pip --version; fi && $(OURS) -c '$(SUITS)' && \
	  { [ -z "$$PYTHON" ] || [ "$$("$$PYTHON" -c '$(BASE)')" = "$$($(OURS) -c '$(BASE)')" ]; }; } >/dev/null 2>&1 || { \
	  python=$$($(FIND_PYTHON)) && { [ ! -e .venv ] || echo 'making .venv again'; } && \
	  rm -rf .venv && "$$python" -m venv .venv; } && { [ -e $@ ] || pwd -P >$@; }

SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
BASE := import sys; print(sys.base_prefix)

# Prints an interpreter that suits. A name on PATH may not run (the shims of version managers), so each is tried.
define FIND_PYTHON
reason='none of python3, python3.13, python3.12, python3.11 runs and is one of these'; \
set -- python3 python3.13 python3.12 python3.11; \
if [ -n "$$PYTHON" ]; then set -- "$$PYTHON"; reason="$$PYTHON is not one of these, or does not run"; fi; \
for python in "$$@"; do \
  "$$python" -c '$(SUITS)' >/dev/null 2>&1 || continue; \
  if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then printf '%s\n' "$$python"; exit; fi; \
  reason="$$python lacks its module venv (Debian and Ubuntu have it in the package python3-venv)"; \
done; \
echo "error: stoker needs Python 3.11, 3.12 or 3.13: $$reason; name another: make PYTHON=/path/to/python" >&2; exit 1
endef
