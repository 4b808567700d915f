# What the commands of this folder share; they read it.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 2
}

# Each file of a copy against the list of hashes that pg_basebackup made.
verify() (
    cd "$1"
    sed -n 's/^{ "Path": "\(.*\)", "Size": .*"Checksum": "\([0-9a-f]*\)" },\{0,1\}$/\2  \1/p' backup_manifest |
        sha256sum --check --quiet || fail "$1 is damaged"
)

has_database() {
    [ -e "${PGDATA:?is not set}/PG_VERSION" ]
}

no_database_yet() {
    ! has_database || fail "there is a database in $PGDATA; move it away first"
    rm -rf "$PGDATA.new"
}

# A data folder appears whole or not at all.
take_new_data() {
    rmdir "$PGDATA" 2>/dev/null || true
    mv "$PGDATA.new" "$PGDATA"
}
