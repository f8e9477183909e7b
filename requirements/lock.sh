#!/bin/sh
# Writes the three lock files; called by `make lock` with the uv to use.
# Every file is for all platforms and Python versions at once and names no registry.
set -eu
uv=$1
cd "$(dirname "$0")/.."
export UV_CUSTOM_COMPILE_COMMAND="make lock"
compile() { "$uv" pip compile -q --universal --upgrade --generate-hashes --no-emit-index-url "$@"; }

compile pyproject.toml -o requirements/run.txt
compile --group pyproject.toml:test -c requirements/run.txt -o requirements/test.txt

# The build tools are the ones that [build-system] names. Django is what django-htmx wants and
# nobody runs: it is left out, and the file is installed with --no-deps.
build/lock/venv/bin/python - > build/lock/build.in <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["build-system"]["requires"], sep="\n")
PYTHON
compile build/lock/build.in --no-annotate -o requirements/build.txt \
  --no-emit-package django --no-emit-package asgiref --no-emit-package sqlparse
