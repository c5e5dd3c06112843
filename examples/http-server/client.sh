#!/usr/bin/env bash
# Talks to http-server with curl.
set -euo pipefail
url=http://$1:$2

get() {
    curl --silent --show-error --max-time 20 "$@"
}

get "$url/"
echo "you sent: $(get --data 'some text' "$url/echo")"
echo "$(get "$url/bytes/1000000" | wc -c) bytes"
echo "not found: $(get --output /dev/null --write-out '%{http_code}' "$url/missing")"
get "$url/slow/100"
