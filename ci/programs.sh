# Sourced: builds the examples, natively and as images.
#
# An example is a directory in examples/ with an expected.txt; what its source is tells how it is built.
# One with a client.sh is a server: `network-programs.sh` runs it.

BUILT_EXAMPLES=$WORK/examples
mkdir -p "$BUILT_EXAMPLES"

examples() {
    local file
    for file in examples/*/expected.txt; do
        [ -e "$(dirname "$file")/client.sh" ] || basename "$(dirname "$file")"
    done
}

# The compiler that an example needs and that is missing here, if any.
missing_compiler() {
    case $1 in
    c-glibc) has gcc || echo gcc ;;
    c-musl) has musl-gcc || echo musl-gcc ;;
    go | go-http) has go || echo go ;;
    esac
}

# build_example NAME: makes $BUILT_EXAMPLES/NAME (native) and NAME.libos.
build_example() {
    local name=$1 out=$BUILT_EXAMPLES/$1
    case $name in
    c-glibc) gcc -static -O2 -pthread -Wall -Wextra -o "$out" "examples/$name/main.c" ;;
    c-musl) musl-gcc -static -O2 -Wall -Wextra -o "$out" "examples/$name/main.c" ;;
    go | go-http) (cd "examples/$name" && CGO_ENABLED=0 GOFLAGS=-mod=mod go build -o "$out" .) ;;
    *)
        cargo build --quiet --package "$name" && cp "target/debug/$name" "$out" &&
            "$CARGO_LIBOS" libos build --quiet --package "$name" >"$out.path" &&
            cp "$(tail -n 1 "$out.path")" "$out.libos"
        return
        ;;
    esac && "$CARGO_LIBOS" libos image "$out" -o "$out.libos"
}

arguments_of() {
    cat "examples/$1/args.txt" 2>/dev/null || true
}

expected_status_of() {
    cat "examples/$1/expected-status.txt" 2>/dev/null || echo 0
}
