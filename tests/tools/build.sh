#!/usr/bin/env bash
# Builds the programs that the tests run against, or reuses them.
#
#   build.sh           build what is missing, then print the folder
#   build.sh --where   print the folder and do nothing
#   build.sh --env     print the folder and its tools as shell variables
#
# What is built is pinned beside this script: kubernetes/go.sum, etcd/go.sum, gotemplate/go.sum, python/requirements.txt (with hashes)
# and CARGO_DENY below. Each group of tools lives in a folder named after the hash of its own pins, so that a new version of one rebuilds only that
# one; FOLDER/bin holds a link to every tool, FOLDER/venv the Python environment, and FOLDER is named after all pins together.
#
# Honoured: XDG_CACHE_HOME (where the cache is), KUBEBUILDER_ASSETS (a folder with etcd, kube-apiserver, kubectl to use as they are).
# Two runs at once are safe: the second waits for the first where the system has flock, and in any case everything is made under a name
# of its own and renamed into place when it is complete.
# Needs bash, Go 1.26, Python 3.11 with venv, and Rust; nothing is installed outside the cache.
set -euo pipefail

CARGO_DENY=0.20.2
TOOLS=(etcd kube-apiserver kube-controller-manager kubectl bao moto_server gotemplate cargo-deny)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/external-secrets-rs/tools
kubernetes_version=$(sed -n 's/^require k8s.io\/kubernetes //p' "$here/kubernetes/go.mod")
kubernetes_minor=$(cut -d. -f2 <<<"$kubernetes_version")
version_package=k8s.io/component-base/version
kubernetes_flags="-s -w -X $version_package.gitVersion=$kubernetes_version -X $version_package.gitMajor=1 -X $version_package.gitMinor=$kubernetes_minor"
etcd_flags="-s -w"
gotemplate_flags="-s -w"

main() {
  name_folders
  case ${1:-} in
    --where) echo "$folder" ;;
    --env) print_environment ;;
    "") build_all ;;
    *) fail "unknown argument '$1': use --where, --env, or none" ;;
  esac
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-16
}

# The hash of files and words that decide what a group contains.
pins() {
  local group=$1
  shift
  { uname -sm; echo "$*"; (cd "$here/$group" && cat go.mod go.sum ./*.go requirements.txt 2>/dev/null || true); } | sha256
}

name_folders() {
  kubernetes_folder=$cache/kubernetes-$(pins kubernetes "$kubernetes_flags")
  etcd_folder=$cache/etcd-$(pins etcd "$etcd_flags")
  gotemplate_folder=$cache/gotemplate-$(pins gotemplate "$gotemplate_flags")
  python_folder=$cache/python-$(pins python)
  deny_folder=$cache/cargo-deny-$({ uname -sm; echo $CARGO_DENY; } | sha256)
  folder=$cache/$(echo "$kubernetes_folder $etcd_folder $gotemplate_folder $python_folder $deny_folder ${KUBEBUILDER_ASSETS:-}" | sha256)
}

build_all() {
  started=$SECONDS
  mkdir -p "$cache"
  complete || take_turn
  if complete; then
    say "all tools are there"
  else
    build_missing
    link_all
  fi
  echo "$folder"
}

# The lock is the open file, so it goes with this process however it ends.
take_turn() {
  command -v flock >/dev/null || return 0
  exec 9>"$cache/lock"
  flock --nonblock 9 && return
  say "another run builds them; waiting for it"
  flock 9
}

complete() {
  local tool
  for tool in "${TOOLS[@]}"; do [[ -x $folder/bin/$tool ]] || return 1; done
}

build_missing() {
  work=$(mktemp -d "$cache/building.XXXXXX")
  environment=
  trap 'rm -rf "$work" $environment' EXIT
  trap 'exit 130' INT TERM
  from_assets etcd || [[ -x $etcd_folder/etcd ]] || build_etcd
  [[ -x $gotemplate_folder/gotemplate ]] || build_gotemplate
  [[ -x $python_folder/bin/moto_server ]] || build_python
  from_assets kube-apiserver || [[ -x $kubernetes_folder/kube-apiserver ]] || build_kubernetes kube-apiserver
  [[ -x $kubernetes_folder/kube-controller-manager ]] || build_kubernetes kube-controller-manager
  [[ -x $deny_folder/bin/cargo-deny ]] || build_cargo_deny
}

from_assets() {
  [[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$1 ]]
}

build_etcd() {
  need go "Go 1.26 or newer"
  run "etcd" 1 go_build etcd "$etcd_flags" go.etcd.io/etcd/server/v3 "$work/etcd"
  install_file "$work/etcd" "$etcd_folder"
}

# The program that templates are compared with.
build_gotemplate() {
  need go "Go 1.26 or newer"
  run "gotemplate" 1 go_build gotemplate "$gotemplate_flags" . "$work/gotemplate"
  install_file "$work/gotemplate" "$gotemplate_folder"
}

build_kubernetes() {
  need go "Go 1.26 or newer"
  run "$1 $kubernetes_version" 6 go_build kubernetes "$kubernetes_flags" "k8s.io/kubernetes/cmd/$1" "$work/$1"
  install_file "$work/$1" "$kubernetes_folder"
}

go_build() {
  cd "$here/$1" && GOFLAGS='-mod=readonly -buildvcs=false' CGO_ENABLED=0 go build -v -trimpath -ldflags "$2" -o "$4" "$3"
}

build_python() {
  need python3 "Python 3.11 or newer with its venv module"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "python3 is older than 3.11: install Python 3.11 or newer"
  # A virtual environment holds its own path, so it is made where it stays; the link that names it is what is renamed.
  environment=$(mktemp -d "$cache/venv.XXXXXX")
  run "OpenBao, moto, kubectl" 2 install_python "$environment"
  ln -s "$(basename "$environment")" "$work/venv"
  # Another run may have been first; then this environment goes with the work folder.
  [[ -e $python_folder ]] || { mv "$work/venv" "$python_folder" && environment=; }
}

install_python() {
  python3 -m venv "$1" || { echo "python3 cannot make a virtual environment: install its venv module (often the package python3-venv)"; return 1; }
  "$1/bin/pip" install --disable-pip-version-check --no-input --no-deps --require-hashes --only-binary=:all: -r "$here/python/requirements.txt"
  # moto imports slowly the first time when nothing is compiled.
  "$1/bin/python" -m compileall -q -j 0 "$1/lib" || true
}

build_cargo_deny() {
  need cargo "Rust (rustup reads rust-toolchain.toml)"
  run "cargo-deny $CARGO_DENY" 8 install_cargo_deny "$work/cargo-deny"
  mv "$work/cargo-deny" "$deny_folder" 2>/dev/null || [[ -x $deny_folder/bin/cargo-deny ]]
}

install_cargo_deny() {
  cd "$here" && CARGO_TARGET_DIR="$work/target" cargo install --locked --root "$1" --version "$CARGO_DENY" cargo-deny && rm -rf "$work/target"
}

# Renames within one file system are atomic; whoever comes second replaces a file by its equal.
install_file() {
  mkdir -p "$2"
  mv -f "$1" "$2/"
}

link_all() {
  local bin=$work/bin tool
  mkdir -p "$bin" "$folder"
  for tool in "${TOOLS[@]}"; do ln -s "$(source_of "$tool")" "$bin/$tool"; done
  ln -sfn "$python_folder" "$folder/venv"
  if [[ -d $folder/bin ]]; then
    for tool in "${TOOLS[@]}"; do mv -f "$bin/$tool" "$folder/bin/$tool"; done
  else
    mv "$bin" "$folder/bin" 2>/dev/null || [[ -d $folder/bin ]]
  fi
  complete || fail "a tool is missing in $folder/bin: remove $cache and run again"
  say "done"
}

source_of() {
  if from_assets "$1"; then echo "$KUBEBUILDER_ASSETS/$1"; return; fi
  case $1 in
    etcd) echo "$etcd_folder/etcd" ;;
    gotemplate) echo "$gotemplate_folder/gotemplate" ;;
    kube-*) echo "$kubernetes_folder/$1" ;;
    cargo-deny) echo "$deny_folder/bin/cargo-deny" ;;
    *) echo "$python_folder/bin/$1" ;;
  esac
}

print_environment() {
  echo "TOOLS=$folder"
  local tool name
  for tool in "${TOOLS[@]}"; do
    name=$(tr 'a-z-' 'A-Z_' <<<"$tool")
    echo "$name=$folder/bin/$tool"
  done
}

# run TITLE MINUTES COMMAND...: runs it with a line of progress every 20 s, and shows the end of its output when it fails.
run() {
  local title=$1 minutes=$2 log=$work/log begun=$SECONDS pid waited=0
  shift 2
  say "$title: building (about $minutes min on 2 cores)"
  ( "$@" ) >"$log" 2>&1 9>&- &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    ((waited % 20)) || say "$title: $((SECONDS - begun)) s; $(tail -n 1 "$log" | cut -c1-90)"
  done
  trap 'exit 130' INT TERM
  if ! wait "$pid"; then
    tail -n 30 "$log" >&2
    fail "$title could not be built; the reason is above"
  fi
  say "$title: built in $((SECONDS - begun)) s"
}

need() {
  command -v "$1" >/dev/null || fail "$1 is not installed: install $2"
}

say() {
  printf 'tools [%4d s] %s\n' "$((SECONDS - started))" "$1" >&2
}

fail() {
  echo "tools: $1" >&2
  exit 1
}

main "$@"
