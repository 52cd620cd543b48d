# `make demo` and `make test` set up everything they need; `make help` lists the rest.

PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= torch==2.13.0
# The number of processes that run the tests.
JOBS   ?= 2
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help demo lint test check format docs release-check clean

help:
	@echo "make demo    install, score a few sentences with kiwi-mini, then train, predict and evaluate on the bundled sample"
	@echo "make test    install, then run the tests"
	@echo "make check   ruff, mypy, hadolint and the tests"
	@echo "make format  let ruff rewrite the code"
	@echo "make docs    build the documentation site into site/, and check its reference"
	@echo "make release-check  build the distributions into dist/, check and try them (RELEASING.md)"
	@echo "make clean   remove the environment and what was built"

# torch first, so that nothing else chooses a build of it. pip compiles what it installs in one process, for minutes;
# here all cores do it. What cannot be compiled are templates, which pip passes over too.
$(READY): export PIP_COMPILE = 0
$(READY): pyproject.toml models/mini/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ".[all,dev]" ./models/mini
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

demo: $(READY)
	$(BIN)/kiwi score --spans examples/first.tsv
	$(BIN)/kiwi train --example
	$(BIN)/kiwi predict --example
	$(BIN)/kiwi evaluate --example
	@echo
	@echo "The run is in runs/example: best_model (the trained system), metrics.csv, output.log, predictions."
	@echo "Use it: $(BIN)/python -c \"import kiwi; print(kiwi.load_system('runs/example/best_model')\
	.predict(['Close the bank .'], ['Schließen Sie die Bank .'], ['0-0 1-2 2-3 3-4']))\""
	@echo "The configurations are in kiwi/assets/config; copy one and make it yours."

# Examples of the property tests are the same in each run; plain pytest explores others. With more threads, processes
# that tests fork would wait for threads of OpenMP that they do not have.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal --hypothesis-profile=ci

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint deploy/Dockerfile

check: lint test

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	$(BIN)/sphinx-build --fail-on-warning --quiet docs site
	$(BIN)/python docs/check_reference.py site

release-check: $(READY)
	$(BIN)/python -m pip install --quiet build twine
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tools/check_release.py dist
	$(PYTHON) -m venv build/trial
	build/trial/bin/python -m pip install --quiet dist/*.whl
	cd build && trial/bin/kiwi --version && trial/bin/kiwi --help

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache *.egg-info
