#!/bin/bash
#
# alerts.sh - compose/prometheus/alerts.yml is valid, each rule fires when it should and at no other time, every metric it reads exists, every runbook it names is there and
# every rule is played. Skipped (77) without promtool.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v promtool >/dev/null; then
    echo "alerts.sh: promtool is not installed (package prometheus): skipped" >&2
    exit 77
fi
promtool check rules --lint-fatal compose/prometheus/alerts.yml
promtool check config compose/prometheus/prometheus.yml
promtool test rules tests/alerts/alerts_test.yml tests/alerts/alerts_slow_test.yml

status=0
complain() {
    echo "alerts.sh: $*" >&2
    status=1
}
while read -r metric; do
    family=$(sed -E 's/_(sum|count|bucket)$//' <<<"$metric")
    grep -qE "\"($metric|$family)\"" shared/metrics.def ops/stripe/*.c || complain "neither shared/metrics.def nor a file of --metrics has $metric"
done < <(grep -ohE 'sluice_[a-z_]+' compose/prometheus/alerts.yml tests/alerts/*.yml | sort -u)
while read -r page; do
    [ -f "$page" ] || complain "there is no $page"
done < <(sed -n 's/^ *runbook: //p' compose/prometheus/alerts.yml | sort -u)
while read -r name; do
    grep -q "alertname=\"$name\"" tests/alerts/*.yml || complain "nothing plays $name"
done < <(sed -n 's/^ *- alert: //p' compose/prometheus/alerts.yml)
[ "$(grep -c -- '- alert:' compose/prometheus/alerts.yml)" = "$(grep -c '^ *runbook:' compose/prometheus/alerts.yml)" ] ||
    complain "a rule names no runbook"
exit "$status"
