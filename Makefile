# make demo    simulate two rooms, map them, ask; the last line is the verdict
# make test    formatting, types, unit and integration tests
# make lint    formatting and types only
# make bench   speed and memory; writes build/bench.json
# make ablations  what choices of proxies and local maps are worth, and how phrases are resolved;
#                 writes build/ablations.json, build/cogmaps.json and build/referring.json
# make models  train small models from nothing but seeds, for hours; writes build/small_models
# make setup   only what all of these do first: the environment
# make clean   remove everything that make made
#
# Each sets up what it needs; the second time nothing is done that did not change. With a ROS
# distribution sourced its packages are used, otherwise wheels from PyPI.
#   PYTHON=python3.12     interpreter (3.10 or newer)
#   ROS_WHEELS=kilted     wheels of this distribution instead of Jazzy's
#   VENV=path             where the environment goes
#   PYTEST="-k tf"        more arguments for pytest

SHELL := /bin/bash
PYTHON ?= python3
ROS_WHEELS ?= jazzy
VENV ?= .venv
PYTEST ?=

ifeq ($(wildcard requirements/$(ROS_WHEELS).lock),)
$(error ROS_WHEELS=$(ROS_WHEELS) is not one of: $(basename $(notdir $(wildcard requirements/*.lock))))
endif

override VENV := $(abspath $(VENV))
FLAVOUR := $(or $(shell tools/ros_distribution.sh),$(ROS_WHEELS)-wheels)$(shell \
  $(PYTHON) -c 'import sys; print("-python%d.%d" % sys.version_info[:2])')
INTERFACES := $(wildcard spatial_vlm_msgs/* spatial_vlm_msgs/*/* standins/vision_msgs/* \
  standins/vision_msgs/msg/*)
ENTER := . tools/env.sh &&

export VENV
export ROS_LOG_DIR ?= $(abspath build/log)
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
ifndef ROS_DOMAIN_ID  # apart from whatever else runs on this machine
export ROS_DOMAIN_ID := $(shell echo $$((RANDOM % 100 + 1)))
endif

.PHONY: demo test lint bench ablations models setup clean lock
.DELETE_ON_ERROR:

demo: setup
	$(ENTER) python -m spatial_vlm_ros.demo

test: lint
	$(ENTER) python -m pytest $(PYTEST)

# numpy's annotations differ from version to version, so types are checked where the locked numpy
# is the one for Python 3.11 and newer.
lint: setup
	$(ENTER) ruff check && ruff format --check $(if $(filter-out %python3.10,$(filter \
	  jazzy-wheels-% kilted-wheels-%,$(FLAVOUR))),&& mypy)

bench: setup
	$(ENTER) python -m bench

ablations: setup
	$(ENTER) python -m bench.ablations && python -m bench.cogmaps && python -m bench.referring

models: setup
	$(ENTER) tools/small_models/train.sh

setup: $(VENV)/.ready

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Resolve what setup.py declares to exact versions, of which those that still do are kept; all are
# renewed with UPGRADE=--upgrade. numpy 2.5 has left Python 3.11. torch's CUDA libraries are not
# locked: pip adds those that the build it finds asks for.
lock: setup
	$(ENTER) pip install --quiet uv
	$(ENTER) for distro in jazzy kilted; do cp requirements/$$distro.lock build/ \
	  && uv pip compile setup.py --extra simulation --extra training \
	  --extra evaluation --extra captions --extra dev --extra $$distro $(UPGRADE) \
	  --universal --python-version 3.10 --constraint <(echo "numpy<2.5") --no-header \
	  --no-annotate --quiet --output-file build/$$distro.lock \
	  && grep -vE '^(nvidia-|cuda-|triton)' build/$$distro.lock > requirements/$$distro.lock \
	  || exit 1; done

$(VENV)/.$(FLAVOUR):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
	  "Python 3.10 or newer is needed, choose it with PYTHON=")'
	@$(PYTHON) -c 'import os, sys, sysconfig as s; h = s.get_path("include") + "/Python.h"; \
	  sys.exit(not os.path.exists(h) and h + " is missing: install the python3-dev package")'
	$(PYTHON) -m venv --clear $(if $(findstring wheels,$(FLAVOUR)),,--system-site-packages) $(VENV)
	@touch $@

$(VENV)/.libraries: $(VENV)/.$(FLAVOUR) setup.py requirements/$(ROS_WHEELS).lock \
    tools/install_libraries.sh tools/repair_wheels.py
	tools/install_libraries.sh $(ROS_WHEELS)
	@touch $@

$(VENV)/.interfaces: $(VENV)/.libraries $(INTERFACES) tools/build_packages.sh tools/write_tf2_msgs.py
	tools/build_packages.sh interfaces
	@touch $@

$(VENV)/.ready: $(VENV)/.interfaces setup.py setup.cfg package.xml $(wildcard launch config rviz)
	tools/build_packages.sh nodes
	@touch $@
