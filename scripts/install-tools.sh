#!/usr/bin/env bash
# Installs what the slower suites need, where it is missing: real metrics engines, what builds and runs images, what keeps cores busy.
# The unit and fault suites need only Node and `npm ci`.
set -euo pipefail

missing=()
for name in prometheus prometheus-pushgateway prometheus-alertmanager victoria-metrics jq buildah podman runc debootstrap stress-ng; do
  command -v "$name" >/dev/null || missing+=("$name")
done
command -v mvn >/dev/null || missing+=(maven)
command -v javac >/dev/null || missing+=(default-jdk-headless)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)

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
