#!/bin/sh
# Finds a Chromium for the browser tests, or installs one; called by `make test-deps`.
set -eu
bin=$1
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
for folder in "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-*; do
  if [ -d "$folder" ]; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "No Chromium found: installing the packages chromium and fonts-nanum for the browser tests." >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-nanum >/dev/null
else
  echo "No Chromium found: playwright installs one into your cache folder for the browser tests." >&2
  "$bin/playwright" install chromium
fi
