# Each target does its own set-up; when pyproject.toml and constraints.txt have not changed,
# that takes no time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Recorded poses, where a clone has them beside it; anybody else sets HMR_EDU_MOCAP.
ifneq ($(wildcard ../shared/mocap),)
export HMR_EDU_MOCAP ?= $(abspath ../shared/mocap)
endif

.PHONY: train test quick lessons tour lab docs wheel setup lint browser

train: setup  ## train HMR from nothing on two CPU cores, in about ten minutes
	$(BIN)/hmr-edu train cpu $(if $(wildcard runs/cpu/config.json),--resume)

# In the order of the files: those with few, long tests would otherwise begin last, on one core.
test: setup browser  ## every test that this machine can run
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ty check --output-format concise
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --nbval --nbval-current-env --nbval-kernel-startup-timeout 600 --doctest-modules tests notebooks hmr_edu

quick: setup  ## the tests that take seconds
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not browser"

lessons: setup  ## run the lessons from top to bottom and write them back, ready to be committed
	OMP_NUM_THREADS=2 $(BIN)/hmr-edu course execute notebooks/*.ipynb

tour: setup browser  ## run every lesson in a real JupyterLab and a browser: minutes; pictures in runs/tour
	$(BIN)/python scripts/browser/lessons_in_browser.py runs/tour

lab: setup  ## open the notebooks
	$(BIN)/jupyter lab --ServerApp.root_dir=. notebooks/00_start_here.ipynb

docs: setup  ## build the documentation site: docs/_build/html/index.html
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html

wheel: setup  ## build the wheel: dist/hmr_edu-*.whl
	rm -rf build  # where setuptools keeps modules that have since gone
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

lint: setup  ## format the code, check its style and its types
	$(BIN)/ruff format .
	$(BIN)/ruff check .
	$(BIN)/ty check

setup: $(READY)

# The tests of widgets and pages need Debian's chromium; where it cannot be had they are skipped.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	       && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } \
	  >/dev/null 2>&1 || echo "No chromium, and no right to install it: browser tests are skipped."

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' \
	  || { echo "hmr_edu needs Python 3.11.5 or newer: make PYTHON=/path/to/python ..."; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet "uv<1" \
	  && UV_FIND_LINKS="$$($(BIN)/python -m pip config get global.find-links 2>/dev/null)" \
	     $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[all]' \
	  || $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]'
	@touch $@
