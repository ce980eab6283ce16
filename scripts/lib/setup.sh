# Installs what is missing. Sourced by the scripts; works on a bare Debian 12 as root with
# bash and apt, and says what to install where it may not.

export LC_ALL=C.UTF-8
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

build_packages=(
  g++ cmake ninja-build pkg-config ca-certificates
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
  libcpprest-dev libboost-dev libssl-dev libspdlog-dev libfmt-dev nlohmann-json3-dev
  prometheus-cpp-dev zlib1g-dev libsqlite3-dev libnghttp2-dev
)
# llvm: names in the reports of the sanitizers.
test_packages=(clang-14 libclang-rt-14-dev llvm-14 libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv openssl
  redis-server redis-sentinel valgrind)
# prometheus: for promtool.
deep_packages=(clang-tidy-14 chromium prometheus systemd dpkg-dev file)

say() { printf '\n== %s\n' "$*"; }

# ensure_packages NAME…: installs the Debian packages that are not there yet.
ensure_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" != 0 ]; then
    echo "these Debian packages are missing; install them as root and run this again:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 69
  fi
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update &&
    apt-get -q -y install --no-install-recommends "${missing[@]}"
}

# ensure_venv: the Python environment of the end-to-end tests, at build/venv; made anew when
# the pinned requirements change.
ensure_venv() {
  local requirements=$root/tests/e2e/requirements.txt venv=$root/build/venv
  cmp -s "$requirements" "$venv/requirements.txt" && return
  say "Python environment"
  rm -rf "$venv"
  python3 -m venv "$venv" &&
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements" &&
    cp "$requirements" "$venv/requirements.txt" # last: a half-made one is made anew
}

# ensure_spdx_tools: checks bills of materials; at build/spdx.
ensure_spdx_tools() {
  local version=0.8.3
  [ "$(cat "$root/build/spdx/version" 2>/dev/null)" = "$version" ] && return
  ensure_packages python3 python3-venv || return
  rm -rf "$root/build/spdx"
  python3 -m venv "$root/build/spdx" &&
    "$root/build/spdx/bin/pip" install -q --disable-pip-version-check "spdx-tools==$version" &&
    echo "$version" >"$root/build/spdx/version" # last: a half-made one is made anew
}

# ensure_reference_ws: the WebSocket server of the end-to-end tests that is not ours, and its
# packages, at build/reference_ws; made anew when the lock file changes. Any node with npm will do.
ensure_reference_ws() {
  local manifest=$root/tests/e2e/reference_ws modules=$root/build/reference_ws
  cmp -s "$manifest/package-lock.json" "$modules/installed.json" && return
  command -v npm >/dev/null || ensure_packages nodejs npm || return
  say "reference WebSocket server"
  rm -rf "$modules"
  mkdir -p "$modules"
  cp "$manifest/package.json" "$manifest/package-lock.json" "$modules"
  (cd "$modules" && npm ci --silent --ignore-scripts --no-audit --no-fund) || return
  cp "$manifest/package-lock.json" "$modules/installed.json"
}

# ensure_helm: helm at build/tools/helm. Debian has none: it is built from the module proxy, with the Go that is
# there if it is new enough, else with Debian's, which fetches a newer one.
ensure_helm() {
  local version=v3.19.0
  [ -x "$root/build/tools/helm" ] && return
  command -v go >/dev/null || ensure_packages golang-go || return
  say "helm"
  GOBIN=$root/build/tools GOFLAGS=-p=1 go install "helm.sh/helm/v3/cmd/helm@$version" >"$root/build/helm.log" 2>&1 ||
    { tail -20 "$root/build/helm.log"; return 1; }
}

# ensure_clients: the clients of other makes (tests/clients), at build/clients: grpc-js as npm has it, grpc-go built
# with the module proxy. Any node with npm and any Go from 1.19 on will do.
ensure_clients() {
  local from=$root/tests/clients into=$root/build/clients
  local sum
  sum=$(cd "$root" && cat tests/clients/grpc_js/* tests/clients/grpc_go/* proto/stigg/sidecar/v1/* | sha256sum)
  [ "$(cat "$into/made-of" 2>/dev/null)" = "$sum" ] && return
  command -v npm >/dev/null || ensure_packages nodejs npm || return
  command -v go >/dev/null || ensure_packages golang-go || return
  say "clients of other makes"
  rm -rf "$into"
  mkdir -p "$into/tools"
  cp -r "$from/grpc_js" "$from/grpc_go" "$into"
  mkdir "$into/grpc_go/gen"
  (
    set -e
    cd "$into/grpc_js" && npm ci --silent --ignore-scripts --no-audit --no-fund
    cd "$into/grpc_go"
    export GOBIN=$into/tools GOFLAGS=-p=1
    go install google.golang.org/protobuf/cmd/protoc-gen-go
    go install google.golang.org/grpc/cmd/protoc-gen-go-grpc
    local map=Mstigg/sidecar/v1/sidecar.proto=clients/gen
    PATH=$into/tools:$PATH protoc -I "$root/proto" --go_out=gen --go_opt="module=clients/gen,$map" \
      --go-grpc_out=gen --go-grpc_opt="module=clients/gen,$map" stigg/sidecar/v1/sidecar.proto
    go build -o client .
  ) >"$into/log" 2>&1 || { tail -30 "$into/log"; return 1; }
  echo "$sum" >"$into/made-of" # last: half-made ones are made anew
}

# debian_source PACKAGE VERSION SUITE FOLDER: the source of a Debian package, patched as Debian
# builds it, in FOLDER/src. From the mirror that this machine's own packages come from.
debian_source() {
  local package=$1 version=$2 suite=$3 folder=$4 mirror
  ensure_packages dpkg-dev debian-archive-keyring || return
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
  rm -rf "$folder"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$folder/apt/sources.list"
  local options=(-q -o "Dir::Etc::SourceList=$folder/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt/cache" -o APT::Sandbox::User=root)
  (
    cd "$folder" &&
      apt-get "${options[@]}" update &&
      apt-get "${options[@]}" source --only-source "$package=$version" &&
      mv -- "$package"-*/ src && rm -rf apt
  ) >"$folder/log" 2>&1 || { cat "$folder/log"; return 1; }
}

# ensure_hiredis: hiredis with RESP3, at build/deps: Debian 12's has none, so the next release's
# source is built.
ensure_hiredis() {
  local prefix=$root/build/deps version=1.2.0-6
  if pkg-config --atleast-version=1.1 hiredis 2>/dev/null; then return; fi
  [ "$(cat "$prefix/hiredis.version" 2>/dev/null)" = "$version" ] && return
  say "hiredis"
  debian_source hiredis "$version" trixie "$root/build/hiredis" || return
  {
    cmake -G Ninja -S "$root/build/hiredis/src" -B "$root/build/hiredis/build" -DCMAKE_BUILD_TYPE=Release \
      -DENABLE_SSL=OFF -DDISABLE_TESTS=ON -DBUILD_SHARED_LIBS=OFF -DCMAKE_INSTALL_LIBDIR=lib \
      -DCMAKE_INSTALL_PREFIX="$prefix" &&
      cmake --build "$root/build/hiredis/build" --target install
  } >"$root/build/hiredis/log" 2>&1 || { tail -50 "$root/build/hiredis/log"; return 1; }
  echo "$version" >"$prefix/hiredis.version" # last: a half-made one is made anew
}

# ensure_tsan_abseil: the installed abseil, built for ThreadSanitizer, at build/tsan-abseil:
# the sanitizer cannot see into the locks of one that is not.
ensure_tsan_abseil() {
  local prefix=$root/build/tsan-abseil version
  version=$(dpkg-query -W -f='${source:Version}' libabsl-dev)
  [ "$(cat "$prefix/version" 2>/dev/null)" = "$version" ] && return
  say "abseil for ThreadSanitizer"
  rm -rf "$prefix"
  debian_source abseil "$version" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root/build/abseil" || return
  # Memory of a new thread's identity: the sanitizer takes mmap for a write that others do not
  # wait for. The system call itself it does not see.
  sed -i 's/new_pages = mmap(/new_pages = base_internal::DirectMmap(/' \
    "$root/build/abseil/src/absl/base/internal/low_level_alloc.cc" || return
  {
    cmake -G Ninja -S "$root/build/abseil/src" -B "$root/build/abseil/build" -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_CXX_STANDARD=17 -DBUILD_TESTING=OFF -DCMAKE_INSTALL_LIBDIR=lib \
      -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1 -fsanitize=thread" \
      -DCMAKE_INSTALL_PREFIX="$prefix" &&
      cmake --build "$root/build/abseil/build" --target install
  } >"$root/build/abseil/log" 2>&1 || { tail -50 "$root/build/abseil/log"; return 1; }
  echo "$version" >"$prefix/version" # last: a half-made one is made anew
}

# build_preset NAME [cmake option…]: configures and builds one CMake preset, or of it only
# $build_target where that is set.
build_preset() {
  local preset=$1
  shift
  cmake --preset "$preset" -S "$root" "$@" >"$root/build/$preset.configure.log" 2>&1 ||
    { cat "$root/build/$preset.configure.log"; return 1; }
  cmake --build "$root/build/$preset" --target "${build_target:-all}"
}

mkdir -p "$root/build"
