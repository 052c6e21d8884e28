# The doors of the checkout. "make help" lists them; each one sets up what it needs first.
.DEFAULT_GOAL := help
.PHONY: help setup servers test molecule lint sanity docs dist demo bench clean
ARGS ?=

help: ## list the doors
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## virtual environment and collection link; quick when up to date
	@tools/setup

servers: ## install the servers that the tests need (Debian and Ubuntu, as root)
	@tools/servers

test: setup servers ## every test; ARGS="-k word" or a path narrows them
	@tools/test $(ARGS)

molecule: setup servers ## roles and rollout on hosts over ssh; ARGS="converge -s rollout" for one step
	@tools/molecule $(ARGS)

lint: setup ## every static check; ARGS="mypy ruff" narrows them
	@tools/lint $(ARGS)

sanity: setup ## ansible-test sanity alone; ARGS="--test validate-modules" narrows it
	@tools/sanity $(ARGS)

docs: setup ## the documentation site, in build/docs/html
	@tools/docs

dist: setup ## the collection tarball, in build/dist
	@tools/dist

demo: setup ## the main job, from an empty host to proof
	@tools/servers docker-registry
	@demo/run

bench: setup servers ## side by side with the peers, in build/bench.json and docs/benchmarks.md; ROW=7 or PAIRS=1 narrow it
	@PATH="$(CURDIR)/.venv/bin:$$PATH:/usr/sbin:/sbin" .venv/bin/python tests/bench/run.py

clean: ## remove everything the doors made
	rm -rf .venv build .ansible
