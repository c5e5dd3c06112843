#!/usr/bin/env bash
# Talks to kv-server with redis-cli.
set -euo pipefail

redis-cli --no-raw -h "$1" -p "$2" <<'END' | grep -v '^$'
PING
SET greeting Hello EX 100
GET greeting
INCR visits
LPUSH letters a b c
LRANGE letters 0 1
HSET sky day blue night black
HGET sky day
GET missing
GET letters
NONSENSE
DBSIZE
END
