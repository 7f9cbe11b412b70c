# Everything a clone can do. Each target does its own set-up: on a bare Debian 12, as root,
# `make demo` is enough; elsewhere what is missing is named and the tests that need it skip.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON := .venv/bin/python
OBJECTS := $(addprefix src/pyteam/datapath/,ebpf/team.bpf.o kernel/guard.bpf.o rxbalance/rx_balance.bpf.o)
# Named by content, so that a fresh checkout with old dependencies installs nothing.
STAMP  := .venv/installed-$(shell cat pyproject.toml constraints.txt setup.py | sha256sum | cut -c1-16)

# What building, the demo and most tests call; bench adds what it compares with, a LACP partner among it.
PACKAGES       := clang llvm libbpf-dev libbpf1 iproute2 iputils-ping ethtool tcpdump procps libteam-utils dbus-daemon dbus-bin python3 python3-venv zsh fish groff-base mandoc systemd systemd-container
BENCH_PACKAGES := openvswitch-switch iperf3
LAB_PACKAGES   := qemu-system-x86 busybox-static kmod network-manager libteamdctl0

# How many inputs fuzz tries.
RUNS := 1000000

VERSION := $(shell sed -n 's/^__version__.*"\(.*\)"/\1/p' src/pyteam/__init__.py)
WHEEL   := build/wheel/pyteam-$(VERSION)-py3-none-any.whl

# Tests to run: a floor (make test FLOOR=unit) or, without it, all of them, cheapest first.
FLOOR :=

.PHONY: help setup demo test bench lab lab-shell interop bench-lab fuzz man lint fmt clean install uninstall deb packages bench-packages lab-packages

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: packages $(STAMP) $(OBJECTS) ## system packages, .venv, BPF objects; quick when all is there

demo: setup ## two hosts, two cables, cuts under load: watch nothing get lost
	@$(PYTHON) -m demo

test: setup bench-packages lab-packages ## all floors, cheapest first; one floor: make test FLOOR=netns
	@timeout --foreground -s INT -k 30 5000 $(PYTHON) -m pytest $(if $(FLOOR),-m $(FLOOR))

bench: setup bench-packages ## ratios against a plain veth and Open vSwitch
	@$(PYTHON) -m bench

lab: setup lab-packages ## the tests of the lab: the real drivers and peers, in a virtual machine
	@$(PYTHON) -m pytest tests/lab

lab-shell: setup lab-packages ## a prompt in the kernel of the lab
	@$(PYTHON) -m lab

interop: setup bench-packages lab-packages ## LACP with all partners; writes the table of docs/interoperability.md
	@PYTEAM_INTEROP=1 $(PYTHON) -m pytest -p tests.interop.document tests/netns/test_lacp_openvswitch.py tests/lab/test_lacp_partners.py

bench-lab: setup lab-packages ## on the kernel of the lab: our datapaths, the original, bonding
	@$(PYTHON) -m lab.bench

man: $(STAMP) ## manual pages and JSON Schema, into build/
	@$(PYTHON) -m manual build

fuzz: setup ## a million frames, and a tenth as many histories, for LACP; another number: RUNS=
	@$(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@$(PYTHON) -m tests.fuzz.lacp parse -runs=$(RUNS) -max_len=160 -verbosity=1
	@$(PYTHON) -m tests.fuzz.lacp history -runs=$$(($(RUNS) / 10)) -max_len=300 -verbosity=1

# Where make install puts it, and what is to run it.
DESTDIR       :=
PREFIX        := /usr/local
TARGET_PYTHON := /usr/bin/python3

install: setup man $(WHEEL) ## teamd and all that goes with it; DESTDIR= PREFIX=/usr/local
	@$(PYTHON) -m package install --destdir "$(DESTDIR)/" --prefix "$(PREFIX)" --python $(TARGET_PYTHON) $(WHEEL)
	@[ -n "$(DESTDIR)" ] || ! command -v systemd-sysusers >/dev/null || systemd-sysusers teamd.conf

uninstall: man $(WHEEL) ## what make install has put there
	@$(PYTHON) -m package remove --destdir "$(DESTDIR)/" --prefix "$(PREFIX)" --python $(TARGET_PYTHON) $(WHEEL)

deb: setup man $(WHEEL) ## a Debian package, in dist/
	@$(PYTHON) -m package deb $(WHEEL)

lint: setup ## ruff, mypy --strict, import contract
	@$(PYTHON) -m pytest tests/test_linters.py

fmt: $(STAMP) ## put imports and layout in order
	@$(PYTHON) -m ruff check --select I --fix .
	@$(PYTHON) -m ruff format .

clean: ## remove everything that is built
	rm -rf .venv .lab build dist src/*.egg-info $(OBJECTS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages: ; @$(call install,$(PACKAGES))

bench-packages: ; @$(call install,$(BENCH_PACKAGES))

lab-packages:
	@$(call install,$(LAB_PACKAGES))
	@lab/kernel.sh .lab

# Open vSwitch would start itself on installation: bench and tests do, in directories of their own. The
# policy file is Debian's way to say so; one that is there already is its owner's, and left alone.
define install
command -v dpkg-query >/dev/null || { echo "setup: no Debian: please install by hand: $(1)"; exit 0; }; \
missing=$$(for package in $(1); do dpkg-query -W -f '$${db:Status-Status}' "$$package" 2>/dev/null | \
	grep -qx installed || echo "$$package"; done); \
[ -n "$$missing" ] || exit 0; \
[ "$$(id -u)" = 0 ] || { echo "setup: not root: please install: "$$missing; exit 0; }; \
policy=/usr/sbin/policy-rc.d; \
[ -e $$policy ] || { trap "rm -f $$policy" EXIT; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; }; \
export DEBIAN_FRONTEND=noninteractive; \
apt-get -q update; \
apt-get -q install -y --no-install-recommends $$missing
endef

# The first python3 that is new enough and can make a virtual environment (Debian splits that off).
$(STAMP):
	@$(PYTHON) -c '' 2>/dev/null || { \
		rm -rf .venv; \
		for python in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do \
			if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
			then echo "setup: .venv from $$(command -v "$$python")"; "$$python" -m venv .venv; break; fi; \
		done; \
		[ -x $(PYTHON) ] || { echo "setup: no Python 3.11 or newer with venv (Debian: python3-venv)" >&2; exit 1; }; }
	$(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test,lab]'
	@rm -f .venv/installed-*; touch $@

$(WHEEL): $(shell find src bpf -name '*.py' -o -name '*.[ch]') pyproject.toml setup.py README.md LICENSE | $(STAMP)
	@rm -rf build/lib
	@$(PYTHON) -m pip -q --disable-pip-version-check wheel --no-deps --no-build-isolation -w $(@D) .
	@touch $@

$(OBJECTS) &: $(wildcard bpf/*.[ch]) setup.py | $(STAMP)
	$(PYTHON) setup.py -q build_bpf --build-lib src
