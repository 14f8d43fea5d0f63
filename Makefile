# make demo   the whole way on the demo corpus      make test   the tests
# make lint   ruff and mypy                         make bench  the benchmarks
# make clean  removes what was built, and nothing that you have made
# LOCK=requirements-io.lock: TensorFlow 2.17 with tensorflow-io, for Python 3.10 to 3.12
PYTHON ?= python3
LOCK ?= requirements.lock
PY := .venv/bin/python
DEMO_FLAGS ?= --flagfile=launch/proxy.flags --flagfile=launch/demo.flags
DEMO_LIKE ?= test/00002.flac

.PHONY: venv demo test lint bench clean

INSTALLED := .venv/installed-$(basename $(notdir $(LOCK)))

venv: $(INSTALLED)

# An environment of another lock is made anew: nothing of it may be left.
$(INSTALLED): $(LOCK) setup.cfg
	@$(PYTHON) tools/check_python.py $(LOCK)
	@test -x $(PY) && test -e $@ || $(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: venv
	$(PY) -m tfmir.prepare --corpus=demo
	$(PY) -m tfmir.train $(DEMO_FLAGS)
	$(PY) -m tfmir.evaluate --run=runs/proxy
	$(PY) -m tfmir.export --run=runs/proxy
	$(PY) -m tfmir.embed --run=runs/proxy --library=audio/demo --output=embeddings/demo
	$(PY) -m tfmir.index --embeddings=embeddings/demo --output=index/demo
	$(PY) -m tfmir.search --index=index/demo --like=$(DEMO_LIKE) --weights=mood=1
	@echo "Listen and search in a browser: $(PY) -m tfmir.page --run=runs/proxy --index=index/demo"

test: venv
	$(PY) -m pytest --numprocesses=2 --dist=loadgroup --no-loadscope-reorder

lint: venv
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: venv
	for file in benchmarks/*.py; do echo "== $$file" && $(PY) $$file || exit 1; done

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
