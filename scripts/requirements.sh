#!/usr/bin/env bash
# `make requirements`: writes each requirements*.txt from the short requirements*.in beside it.
#
# A .txt pins everything that its .in needs, with hashes, for every Python and system that we
# support: pip then installs nothing else. What is pinned stays as it is unless the .in says
# otherwise; `scripts/requirements.sh --upgrade` takes the newest of everything else.
set -euo pipefail
cd "$(dirname "$0")/.."

export UV_CUSTOM_COMPILE_COMMAND="make requirements"
compile() {
  "${UV:-uv}" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
    --no-python-downloads --output-file "${1%.in}.txt" "$@" >/dev/null
}

# The largest comes first, because the others take its versions.
compile requirements-dev.in "$@"
for file in requirements.in requirements-postgres.in requirements-local.in; do
  compile "$file" --constraints requirements-dev.txt "$@"
done
compile requirements-sbom.in "$@"
compile requirements-djongo.in "$@"
compile bench/requirements-peer.in "$@"
