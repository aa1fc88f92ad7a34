# Shared by the scripts beside this file, which source it. It moves to the
# module's root and knows the linters and where they live.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Linters are pinned here and nowhere else. They never enter go.mod: their
# dependencies are not ours.
golangci_lint=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
gofumpt=mvdan.cc/gofumpt@v0.12.0

# tool MODULE@VERSION: the path of the installed program. Its version and Go's
# are in the path, so that a changed pin or a newer Go builds it anew.
tool() {
  local name=${1%@*}
  printf '%s/stagedoor/bin/%s/%s/%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}" "$(go env GOVERSION)" "${1##*@}" "${name##*/}"
}

# install_tool MODULE@VERSION: build it unless it is there.
install_tool() {
  local path
  path=$(tool "$1")
  [ -x "$path" ] && return
  echo "deps: building ${path##*/} ${1##*@} (once)"
  # With GOFLAGS of its own: ours may speak of this module.
  (cd / && GOFLAGS='' GOBIN=$(dirname "$path") go install "$1")
}

# go_files: every Go file that is ours to format, one a line.
go_files() {
  find . \( -name '.?*' -o -name node_modules -o -name testdata \) -prune -o -name '*.go' -print
}

say() { printf '\n== %s\n' "$*"; }
