# Sourced by the scripts beside it: where things are, and how a result is counted.
#
# A script reports each thing that it tries with `pass`, `fail` or `skip`, and ends with `finish`, which prints
# "N passed, N failed, N skipped" and turns failures into the exit status. Run from `ci/test`, the results of all
# scripts are collected in one file instead.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ROOT=$PWD
WORK=$ROOT/target/ci
TARGET=x86_64-unknown-linux-gnu
CARGO_LIBOS=$ROOT/target/release/cargo-libos
TENDER=$ROOT/target/release/libos-tender
mkdir -p "$WORK"

RESULTS=${CI_RESULTS:-$(mktemp "$WORK/results.XXXXXX")}

pass() {
    echo "passed $1" >>"$RESULTS"
    [ -z "${CI_VERBOSE:-}" ] || echo "ok      $1"
}

# fail NAME REASON [FILE-TO-SHOW]
fail() {
    echo "failed $1" >>"$RESULTS"
    echo "FAILED  $1: $2"
    [ -z "${3:-}" ] || [ ! -s "$3" ] || head -n 20 "$3" | sed 's/^/        /'
}

skip() {
    echo "skipped $1" >>"$RESULTS"
    echo "skipped $1: $2"
}

# Adds results that another tool has counted: count passed 12
count() {
    local i
    for ((i = 0; i < $2; i++)); do echo "$1" >>"$RESULTS"; done
}

counted() {
    grep -c "^$1" "$RESULTS" || true
}

finish() {
    [ -z "${CI_RESULTS:-}" ] || exit 0
    local passed failed skipped
    passed=$(counted passed) failed=$(counted failed) skipped=$(counted skipped)
    rm -f "$RESULTS"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
    exit
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Builds cargo-libos and libos-tender, with the libOS inside them.
build_tools() {
    [ -n "${CI_TOOLS_BUILT:-}" ] && return
    if ! cargo build --quiet --release --package cargo-libos; then
        fail tools "cargo build --release --package cargo-libos failed"
        finish
    fi
    export CI_TOOLS_BUILT=1
}

# bounded SECONDS COMMAND...: the command's status, or 124 when it took too long.
bounded() {
    local limit=$1
    shift
    timeout --kill-after=5 "$limit" "$@"
}
