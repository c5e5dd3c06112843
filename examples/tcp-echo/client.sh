#!/usr/bin/env bash
# Talks to tcp-echo: one line, then 100,000 bytes. bash opens /dev/tcp by itself.
set -euo pipefail
host=$1 port=$2

exec 3<>"/dev/tcp/$host/$port"
printf 'Hello, echo!\r\n' >&3
IFS= read -r -t 10 line <&3
exec 3>&-
echo "answer: ${line%$'\r'}"

sent=$(head -c 100000 /dev/zero | tr '\0' x)
exec 3<>"/dev/tcp/$host/$port"
printf %s "$sent" >&3 &
received=$(timeout 10 head -c 100000 <&3)
exec 3>&-
wait
[ "$received" = "$sent" ] && echo "answer: ${#received} bytes, the same" || echo "answer: ${#received} bytes, altered"
