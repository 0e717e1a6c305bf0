#!/usr/bin/env bash
# Prints the path of a usable promtool on stdout, and nothing else there; progress and reasons go to stderr.
# Order: $PROMTOOL, PATH, our cache, the package `prometheus` of the Debian archive that this machine uses already
# (signed, checked by apt; nothing is installed, and no root is needed).
# Settings: PROMTOOL, PROMTOOL_CACHE, PROMTOOL_SOURCES (debian; "none" fetches nothing).
set -euo pipefail
CACHE=${PROMTOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spillway/bin}
SOURCES=,${PROMTOOL_SOURCES:-debian},

say() { echo "promtool: $*" >&2; }
usable() { [ -f "$1" ] && [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

if [ -n "${PROMTOOL:-}" ]; then
  if usable "$PROMTOOL"; then echo "$PROMTOOL"; exit; fi
  say "PROMTOOL: $PROMTOOL does not exist or cannot be run"; exit 1
fi
if found=$(command -v promtool) && usable "$found"; then echo "$found"; exit; fi
if usable "$CACHE/promtool"; then echo "$CACHE/promtool"; exit; fi

case $SOURCES in *,debian,*) ;; *) say "no promtool was found, and none is to be fetched"; exit 1;; esac
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  say "no promtool was found. Install one and put it on PATH, or set PROMTOOL=/path/to/promtool"; exit 1
fi
mkdir -p "$CACHE"
if command -v flock >/dev/null; then
  exec 9>"$CACHE/.promtool.lock"; flock 9
  if usable "$CACHE/promtool"; then echo "$CACHE/promtool"; exit; fi
fi
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
say "fetching the package prometheus of the Debian archive"
# Whose lists are empty, as on a fresh machine, reads them into a folder of ours: apt's own are not touched.
own=(-o "Dir::State::lists=$T/lists" -o "Dir::Cache=$T/cache" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
  -o APT::Get::List-Cleanup=0 -o Acquire::Languages=none)
apt() { (cd "$T" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=2 "$@" >"$T/error" 2>&1); }
fetch() { apt "$@" download prometheus && compgen -G "$T/prometheus_*.deb" >/dev/null; }
if ! fetch; then
  say "apt has no prometheus in its lists ($(tail -1 "$T/error")): reading them anew"
  mkdir -p "$T/lists/partial" "$T/cache/archives/partial"
  apt "${own[@]}" update || { say "apt does not read its archives ($(tail -1 "$T/error"))"; exit 1; }
  fetch "${own[@]}" || { say "apt does not fetch prometheus ($(tail -1 "$T/error"))"; exit 1; }
fi
dpkg-deb -x "$T"/prometheus_*.deb "$T/x" || { say "the package cannot be unpacked"; exit 1; }
usable "$T/x/usr/bin/promtool" || { say "the fetched promtool cannot be run here"; exit 1; }
cp "$T/x/usr/bin/promtool" "$CACHE/.promtool.$$" && mv "$CACHE/.promtool.$$" "$CACHE/promtool"
say "kept as $CACHE/promtool"; echo "$CACHE/promtool"
