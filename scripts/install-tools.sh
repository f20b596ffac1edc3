#!/usr/bin/env bash
# Installs what the slower suites need, where it is missing: real metrics engines, kubectl, Go for the control plane.
# The unit and fault suites need only Node and `npm ci`.
set -euo pipefail

missing=()
command -v prometheus >/dev/null || missing+=(prometheus)
command -v victoria-metrics >/dev/null || missing+=(victoria-metrics)
command -v prometheus-pushgateway >/dev/null || missing+=(prometheus-pushgateway)
command -v prometheus-alertmanager >/dev/null || missing+=(prometheus-alertmanager)
command -v jq >/dev/null || missing+=(jq)
command -v kubectl >/dev/null || missing+=(kubernetes-client)

if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    echo "install-tools: install these by hand: ${missing[*]} (only Debian and Ubuntu are automated)" >&2
    exit 1
  fi
  run() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }
  run apt-get update -qq
  # Debian's packages would start servers on their default ports; the suites start their own.
  DEBIAN_FRONTEND=noninteractive run env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if ! command -v go >/dev/null && [[ -z ${KUBEBUILDER_ASSETS:-} ]]; then
  echo "install-tools: Go 1.25 or newer is needed to build the end-to-end suite's control plane, or set KUBEBUILDER_ASSETS" >&2
  exit 1
fi
echo "install-tools: everything is here"
