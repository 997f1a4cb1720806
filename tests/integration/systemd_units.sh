#!/bin/bash
#
# systemd_units.sh BIN - the units in compose/systemd are understood by this systemd, and leave the programs little to be taken over.
#
# Offline: no unit is installed or started. Exit status 77: there is no systemd-analyze of 252 or later.
set -euo pipefail

readonly EXPOSURE_MAX=15 # tenths, as --threshold takes it: 1.5 of 10
bin=${1:?usage: systemd_units.sh BIN}
units=$(cd "$(dirname "$0")/../../compose/systemd" && pwd)

version=$(systemd-analyze --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' || true)
if [ "${version:-0}" -lt 252 ]; then
    echo "skipped: no systemd-analyze of 252 or later"
    exit 77
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-units-XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$units"/* "$work"
sed -i "s|/usr/bin/sluice|$bin/sluice|" "$work"/*.service

said=$(cd "$work" && systemd-analyze verify ./*.service ./*.socket ./*.target ./*.timer 2>&1 | grep -F "$work" || true)
if [ -n "$said" ]; then
    echo "$said" >&2
    exit 1
fi
for unit in "$work"/*.service; do
    systemd-analyze security --offline=true --threshold="$EXPOSURE_MAX" --no-pager "$unit" >"$work/report" 2>&1 || {
        cat "$work/report" >&2
        exit 1
    }
    tail -n 1 "$work/report"
done
