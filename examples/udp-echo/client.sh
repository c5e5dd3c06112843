#!/usr/bin/env bash
# Talks to udp-echo: a line, 1,400 bytes, and the empty datagram that ends it (which needs socat).
set -euo pipefail
host=$1 port=$2

ask() {
    printf %s "$1" | timeout 10 socat -t 5 -T 5 -b 65536 - "UDP:$host:$port,readbytes=${#1}"
}

echo "answer: $(ask 'Hello, echo!')"
sent=$(head -c 1400 /dev/zero | tr '\0' x)
received=$(ask "$sent")
[ "$received" = "$sent" ] && echo "answer: ${#received} bytes, the same" || echo "answer: ${#received} bytes, altered"
timeout 10 socat -u -b 65536 "SYSTEM:true,pipes" "UDP:$host:$port,shut-null" </dev/null
