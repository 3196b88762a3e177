#!/bin/sh
# Installs the executable of a release, after comparing its SHA-256 with the release's sums:
#   curl -fsSL https://github.com/OWNER/agent-task-tracker/releases/latest/download/install.sh | sh
# Options (behind `sh -s --` in that line):
#   --version 1.2.3   another release than the newest
#   --to FOLDER       where `tracker` goes; otherwise ~/.local/bin
#   --from ADDRESS    where the releases are: a mirror
# For Linux and macOS; on Windows see docs/install.md. Needs curl or wget, and tar.
set -eu

RELEASES=https://github.com/OWNER/agent-task-tracker/releases

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

usage() {
    echo "install.sh: $*" >&2
    echo "Usage: install.sh [--version 1.2.3] [--to FOLDER] [--from ADDRESS]" >&2
    exit 2
}

has() {
    command -v "$1" > /dev/null 2>&1
}

# fetch ADDRESS FILE
fetch() {
    if has curl; then
        case $1 in
        https:*) curl -fsSL --proto '=https' --retry 2 -o "$2" "$1" ;;
        *) curl -fsSL --retry 2 -o "$2" "$1" ;;
        esac
    elif has wget; then
        # Not of every wget: busybox's gives up at once anyway.
        case $(wget --help 2>&1) in
        *--tries*) wget -q --tries=2 -O "$2" "$1" ;;
        *) wget -q -O "$2" "$1" ;;
        esac
    else
        fail "neither curl nor wget is here"
    fi || fail "$1 cannot be fetched, or not to its end; nothing was installed"
}

# sha256 FILE
sha256() {
    if has sha256sum; then
        sum=$(sha256sum < "$1")
    elif has shasum; then
        sum=$(shasum -a 256 < "$1")
    elif has openssl; then
        sum=$(openssl dgst -sha256 -r < "$1")
    else
        fail "the sum cannot be compared: none of sha256sum, shasum, openssl is here"
    fi
    echo "${sum%% *}"
}

# As in the names of the release's files.
system() {
    case $(uname -s) in
    Linux)
        case $(ldd --version 2>&1 || ls /lib/ld-musl-* 2> /dev/null) in
        *musl*) echo linux-musl ;;
        *) echo linux ;;
        esac
        ;;
    Darwin) echo macos ;;
    *) fail "there is no executable for $(uname -s); try: pipx install agent-task-tracker" ;;
    esac
}

machine() {
    case $(uname -m) in
    x86_64 | amd64) echo x86_64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) fail "there is no executable for $(uname -m); try: pipx install agent-task-tracker" ;;
    esac
}

main() {
    version='' to='' from=$RELEASES
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --to | --from) [ -n "${2-}" ] || usage "$1 needs a value" ;;
        *) usage "unknown: $1" ;;
        esac
        case $1 in
        --version) version=${2#v} ;;
        --to) to=$2 ;;
        --from) from=${2%/} ;;
        esac
        shift 2
    done
    if [ -z "$to" ]; then
        [ -n "${HOME-}" ] || usage "HOME is not set: say by --to where \`tracker\` goes"
        to=$HOME/.local/bin
    fi
    if [ -n "$version" ]; then
        address=$from/download/v$version
    else
        address=$from/latest/download
    fi
    system=$(system)
    machine=$(machine)
    platform=$system-$machine

    [ ! -d "$to/tracker" ] || fail "$to/tracker is a folder"
    # In the same place, so that at no time is there half a program, and none is run from elsewhere.
    mkdir -p "$to"
    temporary=$(mktemp -d "$to/.tracker.XXXXXX")
    trap 'rm -rf "$temporary"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    fetch "$address/SHA256SUMS" "$temporary/sums"
    line=$(grep -E "^[0-9a-f]{64}  agent-task-tracker-[0-9][0-9A-Za-z.]*-$platform\.tar\.gz\$" \
        "$temporary/sums" | head -n 1) || :
    [ -n "$line" ] || fail "the release at $address has no executable for $platform"
    wanted=${line%% *} name=${line##* }
    [ -z "$version" ] || [ "$name" = "agent-task-tracker-$version-$platform.tar.gz" ] ||
        fail "$address has another version: $name; nothing was installed"

    echo "Fetching $name ..."
    fetch "$address/$name" "$temporary/archive"
    found=$(sha256 "$temporary/archive")
    [ "$found" = "$wanted" ] || fail "$name is not what the release says: its SHA-256 is" \
        "$found, not $wanted; nothing was installed"

    tar -xzf "$temporary/archive" -C "$temporary" "${name%.tar.gz}/tracker"
    new=$temporary/${name%.tar.gz}/tracker
    says=$("$new" --version) || fail "$name does not start here; nothing was installed"

    chmod 755 "$new"
    mv -f "$new" "$to/tracker"
    echo "Installed: $to/tracker ($says)"
    case :$PATH: in
    *":$to:"*) ;;
    *) echo "$to is not on your PATH: export PATH=\"$to:\$PATH\"" ;;
    esac
}

# Last, so that a script that did not arrive whole does nothing.
main "$@"
