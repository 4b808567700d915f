#!/usr/bin/env bash
# Builds the images, each on those that it needs, and tags them with the git commit (`-dirty` where files
# were changed since) and with `latest`.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'END'
usage: ./build.sh [OPTION...] [SERVICE...]

Builds images of all services, or only of those named; their base is built with them.

  --base-image IMAGE   build on this instead of debian:trixie-slim
  --registry PREFIX    put this before the images' names, such as registry.example/team/
  --platform PLATFORM  build for linux/amd64 or linux/arm64 instead of this machine's own
  --tag TAG            tag with this instead of the git commit
  --push               push what was built
  --list               only show the names of the services
  --help               show this

How packages are fetched is taken from pip's variables (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST)
and from EXTRA_CERTIFICATES (a file of PEM certificates; if there are any, those that this Debian was given).
Nothing of that gets into an image.
END
}

fail() {
    echo "build.sh: $*" >&2
    exit "${2:-1}"
}

all_services() {
    local file
    for file in docker/Dockerfile.*; do
        [ "$file" = docker/Dockerfile.base ] || echo "${file#docker/Dockerfile.}"
    done
}

base_image=debian:trixie-slim
registry= platform= tag= push=
services=()

value_of() {
    [ $# -ge 2 ] && [ -n "$2" ] || { echo "build.sh: $1 needs a value" >&2; exit 2; }
    echo "$2"
}

while [ $# -gt 0 ]; do
    case $1 in
    --base-image) base_image=$(value_of "$@"); shift ;;
    --registry) registry=$(value_of "$@"); shift ;;
    --platform) platform=$(value_of "$@"); shift ;;
    --tag) tag=$(value_of "$@"); shift ;;
    --push) push=yes ;;
    --list) all_services; exit ;;
    --help | -h) usage; exit ;;
    -*) echo "build.sh: there is no option $1; --help shows them" >&2; exit 2 ;;
    *) services+=("$1") ;;
    esac
    shift
done

mapfile -t known < <(all_services)
[ ${#services[@]} -gt 0 ] || services=("${known[@]}")
for service in "${services[@]}"; do
    [[ " ${known[*]} " == *" $service "* ]] ||
        { echo "build.sh: there is no service '$service'; there are ${known[*]}" >&2; exit 2; }
done
[ -z "$registry" ] || registry=${registry%/}/

command -v docker >/dev/null || fail "docker is missing"
docker version >/dev/null 2>&1 || fail "no Docker engine answers"

tag_of_commit() {
    local commit dirty=
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || fail "this is no git checkout; give a --tag"
    [ -z "$(git status --porcelain --untracked-files=no)" ] || dirty=-dirty
    echo "$commit$dirty"
}
[ -n "$tag" ] || tag=$(tag_of_commit)

# Where the source is, without what somebody may have put into the address to log in.
source_url() {
    git config --get remote.origin.url 2>/dev/null | sed -E 's#^([a-z+]+://)[^/@]*@#\1#' || true
}

extra_certificates() {
    if [ -n "${EXTRA_CERTIFICATES:-}" ]; then
        cat "$EXTRA_CERTIFICATES"
    else
        cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true
    fi
}

# The pages' player, which the images of services with pages take from here.
fetch_player() {
    ! grep -q hls.js "docker/Dockerfile.$1" || [ -e node_modules/hls.js/dist/hls.min.js ] || scripts/setup player
}

options=(--network host --build-arg "REGISTRY=$registry" --build-arg "TAG=$tag" --build-arg "SOURCE=$(source_url)")
[ -z "$platform" ] || options+=(--platform "$platform")

# build NAME FILE [OPTION...]
build() {
    local name=$1 file=$2 image=${registry}wubloader-$1
    shift 2
    echo "build.sh: $image:$tag"
    DOCKER_CLI_HINTS=false docker build --quiet "${options[@]}" "$@" --file "$file" --tag "$image:$tag" \
        --tag "$image:latest" . 2> >(grep -vE 'legacy builder|buildx|^$' >&2) >/dev/null ||
        fail "$name could not be built"
}

built=()
base=(docker/Dockerfile.base --build-arg "BASE_IMAGE=$base_image")
build_all() {
    local service
    build system "${base[@]}" --target system
    if grep -lq 'wubloader-base' "${services[@]/#/docker/Dockerfile.}"; then
        build base "${base[@]}" --build-arg "EXTRA_CERTIFICATES=$(extra_certificates)" \
            --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL --build-arg PIP_TRUSTED_HOST
    fi
    for service in "${services[@]}"; do
        fetch_player "$service"
        build "$service" "docker/Dockerfile.$service"
        built+=("$service")
    done
}

build_all
for service in "${built[@]}"; do
    [ -n "$push" ] || break
    for name in "$tag" latest; do
        docker push --quiet "${registry}wubloader-$service:$name" || fail "$service could not be pushed"
    done
done
