# What the scripts here have in common that start programs and end them again. To be sourced; it sets `dir`, and goes by `port` and
# `until_eof`.
# shellcheck shell=bash disable=SC2034

# Where HAProxy is, also for who is not root.
PATH=$PATH:/usr/sbin

fail() {
    echo "$0: $*" >&2
    exit 1
}

# The script that takes this in begins with how to use it.
usage() {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

# needs PROGRAM PACKAGE
needs() {
    [ -n "$(command -v "$1")" ] || fail "there is no $1: apt-get install $2"
}

# From here on everything that is started is a job of this shell, which knows of each whether it is still there: no pid of somebody
# else is hit. Its files are in this folder, which has to be empty or not there, or in a new one, which goes at the end, for `-`.
begin_in() {
    needs setpriv util-linux
    temporary=''
    dir=$1
    if [ "$dir" = - ]; then
        dir=$(mktemp -d)
        temporary=$dir
    fi
    mkdir -p "$dir"
    [ -z "$(ls -A "$dir")" ] || fail "$dir is not empty"
    dir=$(cd "$dir" && pwd)
    trap end EXIT
    trap 'exit 0' INT TERM HUP PIPE
    echo "DIR=$dir"
}

end() {
    local status=$? jobs tries
    trap - EXIT
    [ "$status" = 0 ] || tail -n 3 "$dir"/*/log >&2 2> /dev/null || true
    mapfile -t jobs <<< "$(jobs -pr)"
    if [ -n "${jobs[0]}" ]; then
        kill -TERM "${jobs[@]}" || true
        # One that is stopped would not hear it.
        kill -CONT "${jobs[@]}" || true
        for ((tries = 250; tries > 0; tries--)); do
            [ -n "$(jobs -pr)" ] || break
            sleep 0.02
        done
        [ "$tries" != 0 ] || kill -KILL "${jobs[@]}" || true
    fi 2> /dev/null
    [ -z "$temporary" ] || rm -rf "$temporary"
    exit "$status"
}

# Set `new_port`: the next of those that begin with `port`, or without it one that is free. That is in a range that the system gives to
# nobody by itself, so that it is still free when a server comes back to it.
new_port() {
    : "${next_port:=${port:-$((10000 + (RANDOM * 32768 + RANDOM) % 10000))}}"
    if [ -z "$port" ]; then
        while (exec 3<> "/dev/tcp/127.0.0.1/$next_port") 2> /dev/null; do next_port=$((next_port + 1)); done
    fi
    new_port=$next_port
    next_port=$((next_port + 1))
}

# Wait until a command succeeds.
until_true() {
    local tries
    for ((tries = 300; tries > 0; tries--)); do
        ! "$@" || return 0
        sleep 0.1
    done
    fail "not ready after half a minute: $*"
}

# Stay until interrupted, or whoever started this is gone, or the standard input ends.
stay() {
    # The shell would tell of each job that is killed.
    exec 2> /dev/null
    # The wait is one that signals interrupt.
    if [ -n "$until_eof" ]; then
        cat > /dev/null <&0 &
        wait $! || true
    else
        while [ -d "/proc/$PPID" ]; do
            sleep 1 &
            wait $! || true
        done
    fi
}
