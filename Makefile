# make run    installs what is missing and opens the app
# make test   installs what tests need, a browser and node included, and runs all of them
# make lint   style and types, those of Windows and the browser's code included
# make package  builds the wheel, installs it into a new environment and runs every command there
# make integrations  our callbacks and exports with other people's packages, in environments of their
#             own; not part of make test
# make notebooks  the notebooks of docs once more, and the stage in JupyterLab and marimo, in an
#             environment of its own; not part of make test
# make cluster  starts a Dask scheduler and two workers on this machine, to try it
# make cluster-faults  real schedulers and workers are killed, frozen, of another version, behind TLS;
#             some minutes; not part of make test
# make deployment  the Dockerfile's steps in a clean folder, nginx's example with a real nginx; needs
#             root and the package index; not part of make test
# make school  a class of thirty beside abusers, alone and behind nginx, ten minutes; then kill -9 at
#             fifty moments
# make docs   builds the documentation into build/docs, and checks its links; what builds it is
#             installed once, and building needs no network
# make lock   resolves requirements.txt again: all packages that it leads to, with their hashes
# make bench  the benchmarks behind every number we claim
# make soak   an hour with thirty visitors who do anything, files, classes and clinic included,
#             commands stopped at twenty moments each, a thousand damaged runs; not part of make test
# make audit  known vulnerabilities of what is installed; asks the network
# make pictures  the README's pictures and the tour of one minute, made anew
# make clean  removes what tools left behind; the virtual environment stays
#
# Stamps in .venv and node_modules remember what is installed, so a second call starts at once.

PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check
export PYTHONPATH := .

.PHONY: run test lint docs package integrations notebooks cluster cluster-faults deployment school lock bench soak audit pictures clean chromium node

run: .venv/installed
	$(PYTHON) -m streamlit run app.py

# More at a time than cores, since tests wait as much as they compute; browser tests draw in software,
# and Chromium has threads of its own.
# Some hundred processes are started, each of which would compile our code where bytecode is not kept.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/installed-for-tests chromium node
	node --test tests/stage/*.test.js
	$(PYTHON) -m pytest -m "not browser" -n 4 --dist loadfile --no-loadscope-reorder
	$(PYTHON) -m pytest -m browser -n 2 --dist loadfile --no-loadscope-reorder \
		$(shell grep -l 'mark\.browser' tests/test_*.py)

lint: .venv/installed-for-tests node_modules/installed
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -m mypy --platform win32 --cache-dir .mypy_cache/win32
	node_modules/.bin/tsc

# Two environments: pages and figures are made from the code with its own packages, and the site from
# them with packages that the app has no use for. Strict: a warning is an error.
docs: .venv/installed .venv/docs/installed
	$(PYTHON) docs/site/generate.py
	NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml
	$(PYTHON) docs/site/check_site.py build/docs

.venv/docs/installed: docs/requirements.txt | $(PYTHON)
	$(PYTHON) -m venv --clear .venv/docs
	.venv/docs/bin/python -m pip --disable-pip-version-check install -r $<
	@touch $@

# Built from a copy of the files, as pip does it; kept in dist/. The tests make their environments
# under a temporary folder.
package: .venv/installed-for-tests chromium
	rm -rf dist
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m pytest tests/integrations/check_installed.py

# scvi-tools holds pandas back, so it gets an environment of its own; all others share one. They are
# made again where their list of packages is newer.
integrations: .venv/with-others/installed .venv/with-scvi/installed
	OMP_NUM_THREADS=1 .venv/with-others/bin/python -m pytest --noconftest \
		tests/integrations/check_trainers.py tests/integrations/check_formats.py
	OMP_NUM_THREADS=1 .venv/with-scvi/bin/python -m pytest --noconftest \
		tests/integrations/check_scvi.py

notebooks: .venv/with-notebooks/installed chromium
	OMP_NUM_THREADS=1 .venv/with-notebooks/bin/python -m pytest --noconftest -p support.browser -s \
		tests/integrations/check_notebooks.py

.venv/with-%/installed: tests/integrations/with-%.txt pyproject.toml requirements.txt | $(PYTHON)
	$(PYTHON) -m venv --clear .venv/with-$*
	.venv/with-$*/bin/python -m pip --disable-pip-version-check install -r $< .
	@touch $@

# Ctrl-C ends all three. In another terminal: SVAE_SCHEDULER=tcp://127.0.0.1:8786 make run
cluster: .venv/installed-for-cluster
	@trap 'kill 0' INT TERM EXIT; \
	$(PYTHON) -m distributed.cli.dask_scheduler --host 127.0.0.1 --port 8786 --no-dashboard & \
	PYTHONPATH="$(CURDIR)" $(PYTHON) -m distributed.cli.dask_worker tcp://127.0.0.1:8786 \
		--nworkers 2 --nthreads 1 --no-dashboard & \
	wait

cluster-faults: .venv/installed-for-tests
	$(PYTHON) -m pytest tests/deployment/check_cluster.py

deployment: .venv/installed-for-tests
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || { \
		echo "nginx is missing, and its example cannot be tried: apt-get install nginx-light"; exit 1; }
	$(PYTHON) -m pytest tests/deployment/check_nginx.py tests/deployment/check_dockerfile.py

school: .venv/installed-for-tests
	$(PYTHON) tests/benchmarks/bench_abusers.py
	$(PYTHON) -m pytest tests/deployment/check_kills.py

# Two files: torch with what PyPI's builds of it bring along, and all else. A machine for which
# PyTorch's own builds are better installs the second file and torch by itself, as the Dockerfile does.
LOCKED_WITH_TORCH := ^(torch|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==
lock: requirements.txt
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip --disable-pip-version-check install --quiet uv
	PIP_CONFIG_FILE=/dev/null .venv/lock/bin/uv pip compile requirements.txt --quiet --no-config \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --output-file .venv/lock/all.txt
	awk '/^[a-z]/ { with_torch = /$(LOCKED_WITH_TORCH)/ } \
		{ print > (with_torch ? "requirements-torch.lock" : "requirements.lock") }' .venv/lock/all.txt

bench: .venv/installed
	@for bench in tests/benchmarks/bench_*.py; do \
		[ -e "$$bench" ] || { echo "There are no benchmarks in tests/benchmarks yet."; exit 1; }; \
		echo "== $$bench"; $(PYTHON) "$$bench" || exit 1; \
	done

soak: .venv/installed-for-tests chromium
	$(PYTHON) tests/benchmarks/soak.py
	SVAE_SOAK=1 $(PYTHON) -m pytest $(shell grep -l 'import effort' tests/test_*.py)

# In an environment of its own, so that its needs do not come between our pinned versions. What could
# not be looked up is a failure too; PyPI knows torch without its "+cpu".
audit: .venv/installed-for-cluster
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip --disable-pip-version-check install --quiet pip-audit
	$(PIP) freeze | sed -n 's/^\([^ @]*==[^+]*\).*/\1/p' > .venv/audit/installed.txt
	.venv/audit/bin/pip-audit --strict --disable-pip --no-deps -r .venv/audit/installed.txt

# The README's story is replayed in the browser; its screenshots are what the README shows.
pictures: .venv/installed-for-tests chromium
	SVAE_SCREENSHOTS=assets/pictures $(PYTHON) -m pytest -m browser tests/test_browser_story.py
	$(PYTHON) tests/benchmarks/record_tour.py

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/installed: requirements.txt | $(PYTHON)
	@[ "$$(uname -sm)" != "Darwin x86_64" ] || { echo "PyTorch has made no packages for Macs with an" \
		"Intel processor since version 2.2; use another machine, or a container (docs/deployment.md)."; \
		exit 1; }
	$(PIP) install -r requirements.txt
	@touch $@

.venv/installed-for-cluster: requirements-cluster.txt .venv/installed
	$(PIP) install -r requirements-cluster.txt
	@touch $@

.venv/installed-for-tests: tests/requirements.txt requirements-cluster.txt .venv/installed
	$(PIP) install -r tests/requirements.txt
	@touch $@

# Each candidate is tried, not just looked for: a version manager's stub may exist and not work.
$(PYTHON):
	@for python in python3.11 python3; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			$$python -m venv .venv && exit 0; \
			rm -rf .venv; \
			echo "$$python cannot make a virtual environment; on Debian: apt-get install python3-venv"; \
			exit 1; \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed; python3 here is: $$(python3 --version 2>&1)"; \
	exit 1

node_modules/installed: package.json package-lock.json | node
	npm ci
	@touch $@

# $(call install,how to see that it is there,Debian's packages,who needs what)
define install
	@if $(1); then exit 0; fi >/dev/null 2>&1; \
	if ! command -v apt-get >/dev/null; then \
		echo "$(3), and there is no apt-get to install that: please install it."; exit 1; fi; \
	if [ "$$(id -u)" -eq 0 ]; then sudo=; \
	elif command -v sudo >/dev/null; then sudo=sudo; \
	else echo "$(3); as root: apt-get install $(2)"; exit 1; fi; \
	$$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends $(2) || { \
		echo "$(3), and that could not be installed; please install it by hand."; exit 1; }
endef

chromium:
	$(call install,command -v chromium || command -v chromium-browser || command -v google-chrome,\
		chromium,The browser tests need chromium)

# Node's own test runner came with version 18; an older node is no help.
node:
	$(call install,node --test --version && npm --version,\
		nodejs npm,Checks of the browser's code need node 18 or newer with npm)
