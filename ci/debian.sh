# Sourced, with DIR set: programs that know nothing of the project, from Debian's unchanged sources and packages. Nothing
# is installed.

APT=(-o "Dir::Etc::sourcelist=$DIR/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$DIR/lists" -o "Dir::Cache=$DIR/cache")

# Makes apt know the sources and packages of the release that the machine runs, from where its packages come.
fetch_lists() {
    local mirror suite
    # shellcheck disable=SC1091
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
    [ -n "$suite" ] && [ -n "$mirror" ] || return 1
    mkdir -p "$DIR/lists/partial" "$DIR/cache/archives/partial"
    echo "deb-src $mirror $suite main" >"$DIR/sources.list"
    bounded 300 apt-get "${APT[@]}" -qq update
}

# unpack PACKAGE: the upstream sources in DIR/PACKAGE.
unpack() {
    [ -d "$DIR/$1" ] && return
    (cd "$DIR" && bounded 300 apt-get "${APT[@]}" -qq source --download-only "$1") || return 1
    mkdir "$DIR/$1"
    tar -xf "$DIR/$1"_*.orig.tar.* -C "$DIR/$1" --strip-components=1
}

# extract DIRECTORY PACKAGE...: what the packages would install, below DIR/DIRECTORY.
extract() {
    local into=$DIR/$1 package
    shift
    for package in "$@"; do
        (cd "$DIR" && bounded 300 apt-get download -qq "$package") || return 1
        dpkg -x "$DIR/$package"_*.deb "$into" && rm "$DIR/$package"_*.deb
    done
}
