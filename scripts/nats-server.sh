#!/usr/bin/env bash
# Prints the path of a usable nats-server on stdout, and nothing else there; progress and reasons go to stderr.
# Order: $NATS_SERVER, PATH, our cache, the official release (sha256), the Debian archive (signed, checked by apt).
# Settings: NATS_SERVER, NATS_ALSO (folders beside PATH), NATS_CACHE, NATS_VERSION, NATS_MIN, NATS_RELEASE_BASE,
#           NATS_DEBIAN_SUITES, NATS_SOURCES (release,debian; "none" fetches nothing).
# --progress shows a progress bar though stderr is no terminal: for a caller that passes it on to one.
# Runs on bash 3.2, because macOS has no later one.
set -euo pipefail
PROGRESS=${1:-}
MIN=${NATS_MIN:-2.14.0}
WANT=${NATS_VERSION:-2.15.1}
CACHE=${NATS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spillway/bin}
# Where Debian puts it; not on everyone's PATH.
ALSO=${NATS_ALSO-/usr/sbin:/usr/local/sbin}
SOURCES=,${NATS_SOURCES:-release,debian},
BASE=${NATS_RELEASE_BASE:-https://github.com/nats-io/nats-server/releases/download}

say() { echo "nats-server: $*" >&2; }
version() { "$1" -v 2>/dev/null | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p' | head -1; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { split(a, x, "."); split(b, y, "."); for (i = 1; i <= 3; i++) if (x[i]+0 != y[i]+0) exit !(x[i]+0 > y[i]+0) }'; }
usable() { [ -f "$1" ] && [ -x "$1" ] && v=$(version "$1") && [ -n "$v" ] && at_least "$v" "$MIN"; }
# Why a binary is not usable, for people.
defect() {
  if [ ! -x "$1" ]; then echo "$1 does not exist or cannot be run"; return; fi
  v=$(version "$1") || true
  if [ -n "$v" ]; then echo "$1 is version $v, too old: $MIN or later is needed"; else echo "$1 does not tell its version (is it a nats-server?)"; fi
}

if [ -n "${NATS_SERVER:-}" ]; then
  if usable "$NATS_SERVER"; then echo "$NATS_SERVER"; exit; fi
  say "NATS_SERVER: $(defect "$NATS_SERVER")"; exit 1
fi
IFS=:
for dir in $PATH $ALSO; do
  [ -x "$dir/nats-server" ] || continue
  if usable "$dir/nats-server"; then echo "$dir/nats-server"; exit; fi
  say "$(defect "$dir/nats-server"); looking further"
done
unset IFS
for file in "$CACHE/nats-server-$WANT" "$CACHE"/nats-server-*; do if usable "$file"; then echo "$file"; exit; fi; done

mkdir -p "$CACHE"
if command -v flock >/dev/null; then
  # Several starts at once fetch once. Without flock they fetch once each, and the last rename wins: harmless.
  exec 9>"$CACHE/.lock"; flock 9
  if usable "$CACHE/nats-server-$WANT"; then echo "$CACHE/nats-server-$WANT"; exit; fi
fi
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }
# What the release's own SHA256SUMS must agree with, where we know it: a sum from the host of the file alone proves little.
pinned() {
  case "$1" in
    2.15.1-linux-amd64) echo bf5edc7b1ce98e885c368cb43a886eb148dc5d0551d99f3cf6141fb5e1954c70;;
    2.15.1-linux-arm64) echo e2fbab4cad7d3c76e3052eb959570393c9d73ba756b70bf8e9eea61e9ae6d49c;;
    2.15.0-linux-amd64) echo 5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92;;
    2.15.0-linux-arm64) echo cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112;;
  esac
}
# Into the cache under its version, whole or not at all.
put() {
  cp "$1" "$CACHE/.new.$$" && chmod 755 "$CACHE/.new.$$"
  if ! usable "$CACHE/.new.$$"; then say "the fetched file is not usable: $(defect "$CACHE/.new.$$")"; rm -f "$CACHE/.new.$$"; return 1; fi
  local out; out=$CACHE/nats-server-$(version "$CACHE/.new.$$")
  mv "$CACHE/.new.$$" "$out"; say "kept as $out"; echo "$out"
}

release() {
  local os cpu name file expected listed actual
  command -v curl >/dev/null || { say "no release: curl is missing"; return 1; }
  case $(uname -s) in Linux) os=linux;; Darwin) os=darwin;; *) say "no release for $(uname -s)"; return 1;; esac
  case $(uname -m) in x86_64|amd64) cpu=amd64;; aarch64|arm64) cpu=arm64;; *) say "no release for $(uname -m)"; return 1;; esac
  name=nats-server-v$WANT-$os-$cpu file=
  # First the small file: without a route this is the one that fails, and it fails in one line.
  curl -fsSL --connect-timeout 5 --max-time 20 -o "$T/SUMS" "$BASE/v$WANT/SHA256SUMS" 2>"$T/error" ||
    { say "the release $WANT cannot be had from $BASE ($(tail -1 "$T/error"))"; return 1; }
  # Releases carry a tar.gz and a zip for each system; older ones for macOS the zip only.
  for ending in tar.gz zip; do listed=$(awk -v f="$name.$ending" '$2 == f || $2 == "*" f { print $1 }' "$T/SUMS"); if [ -n "$listed" ]; then file=$name.$ending; break; fi; done
  [ -n "$file" ] || { say "the release $WANT lists no $name"; return 1; }
  say "fetching $file"
  local show=-sS; if [ -t 2 ] || [ "$PROGRESS" = --progress ]; then show=--progress-bar; fi
  curl -fL $show --connect-timeout 5 --max-time 300 --retry 1 -o "$T/$file" "$BASE/v$WANT/$file" || { say "the download failed"; return 1; }
  actual=$(sha256 "$T/$file") expected=$listed
  if [ "${file##*.}" = gz ] && [ -n "$(pinned "$WANT-$os-$cpu")" ]; then expected=$(pinned "$WANT-$os-$cpu"); fi
  if [ "$actual" != "$expected" ] || [ "$actual" != "$listed" ]; then say "$file has sha256 $actual; expected $expected, listed $listed: not used"; return 1; fi
  case $file in *.zip) unzip -q "$T/$file" -d "$T" >&2;; *) tar -xzf "$T/$file" -C "$T";; esac
  put "$(find "$T" -type f -name nats-server | head -1)"
}

debian() {
  local key=/usr/share/keyrings/debian-archive-keyring.gpg uri suite d
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then return 1; fi
  [ -r $key ] || { say "no Debian archive keyring at $key"; return 1; }
  # The mirror that this machine uses already.
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -E '/debian/?$' | sort | uniq -c | sort -rn | awk 'NR==1{print $2}') || true
  [ -n "$uri" ] || { say "no Debian archive among apt's sources"; return 1; }
  for suite in ${NATS_DEBIAN_SUITES:-forky sid}; do
    say "fetching the package of Debian $suite"
    d=$T/$suite; mkdir -p "$d/lists/partial" "$d/cache/archives/partial"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$suite" "$key" >"$d/x.sources"
    # Lists and caches of our own: nothing of the system's apt is read or changed but its settings and keyring.
    local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$d/x.sources" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=/dev/null
      -o "Dir::State::lists=$d/lists" -o "Dir::Cache=$d/cache" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
      -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2)
    "${apt[@]}" update >"$T/error" 2>&1 || { say "apt does not read Debian $suite ($(tail -1 "$T/error"))"; continue; }
    (cd "$d" && "${apt[@]}" -o Dir::State::status=/dev/null download nats-server >"$T/error" 2>&1) ||
      { say "apt does not fetch nats-server from $suite ($(tail -1 "$T/error"))"; continue; }
    dpkg -x "$d"/nats-server_*.deb "$d/x" && put "$d/x/usr/sbin/nats-server" && return 0
  done
  return 1
}

case $SOURCES in *,release,*) if release; then exit; fi;; esac
case $SOURCES in *,debian,*) if debian; then exit; fi;; esac
say "no nats-server $MIN or later was found. Install one and put it on PATH, or set NATS_SERVER=/path/to/nats-server"
exit 1
