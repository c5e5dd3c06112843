# Sourced: runs the network examples, which are servers, with their clients.
#
# A network example has a client.sh, which takes the server's host and port, and prints what expected-client.txt
# says. client-needs.txt names the commands that it needs. The server's first line ends with its port.

network_examples() {
    local file
    for file in examples/*/client.sh; do basename "$(dirname "$file")"; done
}

is_network_example() {
    [ -e "examples/$1/client.sh" ]
}

# The port that a server example listens on by itself.
default_port_of() {
    sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "examples/$1/expected.txt" 2>/dev/null || true
}

# The commands that a client needs and that are missing here.
missing_for_client() {
    local command
    for command in $(cat "examples/$1/client-needs.txt" 2>/dev/null); do has "$command" || echo "$command"; done
}

# start_server LOG COMMAND...: sets SERVER_PID and, once the server listens, SERVER_PORT; fails after ten seconds.
start_server() {
    local log=$1 tries
    shift
    SERVER_PORT=
    : >"$log.stdout"
    timeout --kill-after=5 60 "$@" </dev/null >"$log.stdout" 2>"$log.stderr" &
    SERVER_PID=$!
    for ((tries = 0; tries < 200; tries++)); do
        SERVER_PORT=$(sed -n '1s/^listening on .*:\([0-9]*\)$/\1/p' "$log.stdout")
        [ -z "$SERVER_PORT" ] || return 0
        kill -0 "$SERVER_PID" 2>/dev/null || break
        sleep 0.05
    done
    return 1
}

# await_lines NAME STDOUT: waits, 5 seconds at most, for what the server says of its clients, which may come after they have ended.
await_lines() {
    local promised tries
    promised=$(sed '/^SIGTERM/,$d' "examples/$1/expected.txt" | wc -l)
    for ((tries = 0; tries < 100; tries++)); do
        [ "$(wc -l <"$2")" -lt "$promised" ] || return 0
        sleep 0.05
    done
}

# Asks the server to stop, and sets SERVER_STATUS to how it ended; timeout passes the signal on.
stop_server() {
    SERVER_STATUS=0
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    wait "$SERVER_PID" || SERVER_STATUS=$?
}

# check_server LABEL NAME HOST PORT COMMAND...: starts the server, runs its client against HOST:PORT (the port
# that the server itself names where PORT is `-`), stops it, and compares all that was printed with what is promised.
check_server() {
    local label=$1 name=$2 host=$3 port=$4 log=$BUILT_EXAMPLES/$2
    shift 4
    if ! start_server "$log" "$@"; then
        stop_server
        cat "$log.stdout" "$log.stderr" >"$log.both"
        fail "$label" "it does not listen (status $SERVER_STATUS)" "$log.both"
        return
    fi
    [ "$port" != - ] || port=$SERVER_PORT
    bounded 30 bash "examples/$name/client.sh" "$host" "$port" </dev/null >"$log.client" 2>"$log.client.stderr" ||
        echo "the client ended with status $?" >>"$log.client"
    await_lines "$name" "$log.stdout"
    stop_server
    # The address that is promised is the default one.
    sed "1s/^listening on .*/$(head -n 1 "examples/$name/expected.txt")/" "$log.stdout" >"$log.stdout.default"
    if ! bash ci/match "examples/$name/expected-client.txt" "$log.client" >"$log.difference"; then
        cat "$log.difference" "$log.client.stderr" "$log.stderr" >"$log.both"
        fail "$label" "the client prints something else" "$log.both"
    elif ! bash ci/match "examples/$name/expected.txt" "$log.stdout.default" >"$log.difference"; then
        fail "$label" "other output than promised" "$log.difference"
    elif [ "$SERVER_STATUS" != "$(expected_status_of "$name")" ]; then
        fail "$label" "expected status $(expected_status_of "$name"), found $SERVER_STATUS" "$log.stderr"
    else
        pass "$label"
    fi
}

# A TCP and UDP port of the loopback that is free at present.
free_port() {
    local port
    while :; do
        port=$((RANDOM % 20000 + 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}
