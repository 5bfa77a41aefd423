# Everything here runs on a fresh Debian 12: what is missing is installed first
# (scripts/bootstrap.sh), nothing is done twice.

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-all test-core test-asan test-python test-pypy test-crash \
        crash-test fuzz fuzz-core soak power-test lint format bench bench-durable bench-pypy clean

bootstrap = scripts/bootstrap.sh
run_tests = $(bootstrap) test && scripts/test.sh

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup:  ## system packages, virtual environments and a build, for working on the project
	@$(bootstrap) test && scripts/build.sh package .venv

build:  ## build what changed into .venv
	@scripts/build.sh package .venv

demo:  ## index a folder, be killed, go on, answer (FOLDER=... for another folder, ARGS=...)
	@$(bootstrap) demo && scripts/build.sh package .venv
	@.venv/bin/python examples/search_index.py demo $(if $(FOLDER),"$(FOLDER)") $(ARGS)

test:  ## all that CI checks
	@$(run_tests) lint core asan crash python+pypy python-quick ring tidy

test-all:  ## that, far more crash states, slow tests, more sanitizers, every Python found
	@$(run_tests) lint core asan tsan crash-full python-slow+pypy python-asan python-others ring tidy

test-core:  ## GoogleTest on the core (ARGS=--gtest_filter=...)
	@$(run_tests) core

test-asan:  ## the same under the address and undefined-behaviour sanitizers
	@$(run_tests) asan

test-crash:  ## power failures, a slice of all cuts
	@$(run_tests) crash

crash-test:  ## all cuts, and ones of random changes for ten minutes (ARGS=SECONDS)
	@$(run_tests) crash-test

fuzz:  ## damaged pools for ten minutes (ARGS=SECONDS, ARGS="--seed N" for one trial again)
	@$(run_tests) fuzz

fuzz-core:  ## libFuzzer on the core for ten minutes (ARGS=SECONDS)
	@$(bootstrap) fuzz && scripts/test.sh fuzz-core

soak:  ## containers beside the built-ins, random steps, for ten minutes (ARGS=SECONDS)
	@$(run_tests) soak

power-test:  ## power cuts of a whole emulated machine, many minutes (ARGS="journal --cuts 5000")
	@$(bootstrap) power && scripts/test.sh power

test-python:  ## pytest on CPython (ARGS="-k list")
	@$(run_tests) python

test-pypy:  ## the same on PyPy
	@$(run_tests) pypy

lint:  ## clang-format, ruff, mypy, clang-tidy
	@$(run_tests) lint tidy

format:  ## lay out all sources
	@$(bootstrap) test && scripts/lint.sh fix

bench:  ## measure beside the alternatives (ARGS=...)
	@$(bootstrap) bench && scripts/build.sh package .venv
	@.venv/bin/python -m bench $(ARGS)

bench-durable:  ## what durability costs on a disk (ARGS="--folder DIR")
	@$(bootstrap) bench && scripts/build.sh package .venv
	@.venv/bin/python -m bench.durable $(ARGS)

bench-pypy:  ## the same on PyPy, beside those that PyPy has
	@$(bootstrap) test && scripts/build.sh package .venv-pypy
	@.venv-pypy/bin/python scripts/requirements.py bench | \
		xargs -d '\n' .venv-pypy/bin/python -m pip install -q --disable-pip-version-check
	@.venv-pypy/bin/python -m bench $(ARGS)

clean:  ## remove builds and virtual environments
	rm -rf build dist .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis

export ARGS
