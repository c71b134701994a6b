#!/usr/bin/env bash
# A Redis of one's own on loopback, from Debian's packages: for trying backsync on it, and for the tests. Not a way to run one for good.
#
#   deploy/redis.sh TOPOLOGY DIR [OPTION…]
#
#   single     one server
#   tls        one server that is spoken to by TLS only; its authority is DIR/ca.pem
#   sentinel   a primary, two replicas and three sentinels, which call the service "backsync"
#   cluster    three primaries with a replica each
#
#   --appendonly everysec|always|no   how often what was written is brought to the disk (everysec)
#   --password PASSWORD               of single and tls: what everybody has to say,
#   --user USER                       or this user alone, who may not administrate. Who does finds the password in DIR/admin-password.
#   --down-after-ms N                 of sentinel and cluster: who is silent for so long is taken for dead (2000)
#   --port N                          the first port; the others follow it. Free ones without it.
#   --set LINE                        one more line for redis.conf; may be repeated
#   --until-eof                       end when the standard input does
#
# It prints DIR=…, and when all of it is ready the URL for backsync, URL=redis://…, and stays until it is interrupted, or whoever
# started it is gone; then it ends what it started and nothing else. Below DIR, which has to be empty or not there, each server has a
# folder with its redis.conf, log, data, port and pid; one that was killed starts again by `redis-server redis.conf`. A DIR of - is a
# new folder in the system's place for these, and goes at the end.
set -euo pipefail

# shellcheck source=deploy/jobs.sh
. "$(dirname "$0")/jobs.sh"

readonly SERVICE=backsync

[ $# -ge 2 ] || usage
topology=$1 dir=$2
shift 2
appendonly=everysec password='' user='' down_after_ms=2000 port='' until_eof='' lines=()
while [ $# -gt 0 ]; do
    case $1 in
    --until-eof)
        until_eof=yes
        shift
        continue
        ;;
    --appendonly | --password | --user | --down-after-ms | --port | --set) [ $# -ge 2 ] || fail "$1 wants a value" ;;
    *) usage ;;
    esac
    case $1 in
    --appendonly) appendonly=$2 ;;
    --password) password=$2 ;;
    --user) user=$2 ;;
    --down-after-ms) down_after_ms=$2 ;;
    --port) port=$2 ;;
    --set) lines+=("$2") ;;
    esac
    shift 2
done
case $topology in
single | tls) ;;
sentinel | cluster) [ -z "$password" ] || fail "$topology goes without a password here" ;;
*) usage ;;
esac
case $appendonly in everysec | always | no) ;; *) usage ;; esac
[ -z "$user" ] || [ -n "$password" ] || fail '--user goes with --password'
needs redis-server redis-server
needs redis-cli redis-tools
[ "$topology" != tls ] || needs openssl openssl
begin_in "$dir"

# cli FOLDER COMMAND…
cli() {
    local name=$1 arguments=()
    shift
    [ ! -f "$dir/ca.pem" ] || arguments=(--tls --cacert "$dir/ca.pem")
    [ -z "$admin_password" ] || arguments+=(--no-auth-warning -a "$admin_password")
    redis-cli -h 127.0.0.1 -p "$(cat "$dir/$name/port")" "${arguments[@]}" "$@" 2> /dev/null
}

# Whether the one that answers is this process, and not another that had the port before.
answers() {
    [ -d "/proc/$2" ] && [[ $(cli "$1" INFO server) == *"process_id:$2"$'\r'* ]]
}

# The settings that all of them have. Nothing is evicted, and data is in the append-only file or nowhere.
common() {
    cat << END
bind 127.0.0.1
protected-mode yes
daemonize no
dir $dir/$1
logfile $dir/$1/log
maxmemory-policy noeviction
save ""
repl-diskless-sync-delay 0
END
    if [ "$appendonly" = no ]; then echo 'appendonly no'; else printf 'appendonly yes\nappendfsync %s\n' "$appendonly"; fi
    [ ${#lines[@]} = 0 ] || printf '%s\n' "${lines[@]}"
}

# start FOLDER [--sentinel]: the settings come from the standard input, with PORT and BUS where ports go. Where somebody else is faster
# to take one, it is another. Not for a pipe: it would be the job of another shell.
start() {
    local name=$1 settings settings_here pid own
    settings=$(cat)
    while :; do
        rm -rf "${dir:?}/$name"
        mkdir -m 700 "$dir/$name"
        new_port && own=$new_port
        echo "$own" > "$dir/$name/port"
        [[ $settings != *BUS* ]] || new_port
        settings_here=${settings//PORT/$own}
        printf '%s\n' "${settings_here//BUS/$new_port}" > "$dir/$name/redis.conf"
        # It goes with this shell, however this shell goes.
        setpriv --pdeathsig KILL redis-server "$dir/$name/redis.conf" "${@:2}" > "$dir/$name/output" 2>&1 < /dev/null &
        pid=$!
        echo "$pid" > "$dir/$name/pid"
        while [ -d "/proc/$pid" ]; do
            ! answers "$name" "$pid" || return 0
            sleep 0.02
        done
        if [ -n "$port" ] || ! grep -qs 'Address already in use' "$dir/$name/log" "$dir/$name/output"; then
            fail "$name did not start: $(cat "$dir/$name/output")"
        fi
    done
}

authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=an authority for trying' -keyout "$dir/ca.key" -out "$dir/ca.pem"
    openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$dir/server.key" -out "$dir/server.csr"
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 -out "$dir/server.pem" \
        -extfile <(echo 'subjectAltName = IP:127.0.0.1, DNS:localhost')
} 2> /dev/null

single_settings() {
    common primary
    if [ "$topology" = tls ]; then
        cat << END
port 0
tls-port PORT
tls-cert-file $dir/server.pem
tls-key-file $dir/server.key
tls-ca-cert-file $dir/ca.pem
tls-auth-clients no
END
    else
        echo 'port PORT'
    fi
    [ -z "$admin_password" ] || echo "requirepass $admin_password"
    [ -z "$user" ] || echo "user $user on >$password ~* &* +@all -@admin"
}

single() {
    local scheme=redis query='' credentials=''
    if [ "$topology" = tls ]; then
        authority
        scheme=rediss query="?ca=$dir/ca.pem"
    fi
    [ -z "$password" ] || credentials=$user:$password@
    start primary < <(single_settings)
    echo "URL=$scheme://${credentials}127.0.0.1:$(cat "$dir/primary/port")/0$query"
}

replica_follows() {
    [[ $(cli "$1" INFO replication) == *master_link_status:up* ]]
}

sentinel_agrees() {
    local seen
    seen=$(cli "$1" SENTINEL MASTER "$SERVICE" | paste -d ' ' - -)
    [[ $seen == *'num-slaves 2'* && $seen == *'num-other-sentinels 2'* && $seen == *'flags master'* ]] &&
        cli "$1" SENTINEL CKQUORUM "$SERVICE" | grep -q '^OK'
}

sentinel() {
    local name primary sentinels=()
    start primary < <(common primary && echo 'port PORT')
    primary=$(cat "$dir/primary/port")
    for name in replica-1 replica-2; do
        start "$name" < <(common "$name" && printf 'port PORT\nreplicaof 127.0.0.1 %s\n' "$primary")
    done
    for name in replica-1 replica-2; do until_true replica_follows "$name"; done
    for name in sentinel-1 sentinel-2 sentinel-3; do
        start "$name" --sentinel << END
bind 127.0.0.1
port PORT
dir $dir/$name
logfile $dir/$name/log
sentinel monitor $SERVICE 127.0.0.1 $primary 2
sentinel down-after-milliseconds $SERVICE $down_after_ms
sentinel failover-timeout $SERVICE $((down_after_ms * 5))
sentinel parallel-syncs $SERVICE 2
END
        sentinels+=("127.0.0.1:$(cat "$dir/$name/port")")
    done
    for name in sentinel-1 sentinel-2 sentinel-3; do until_true sentinel_agrees "$name"; done
    echo "URL=redis+sentinel://$(IFS=,; echo "${sentinels[*]}")/$SERVICE/0"
}

cluster_is_whole() {
    local seen
    seen=$(cli "$1" CLUSTER INFO)
    [[ $seen == *cluster_state:ok* && $seen == *cluster_known_nodes:6* && $seen == *cluster_size:3* ]] &&
        [ "$(cli "$1" CLUSTER NODES | grep -c 'slave ')" = 3 ] || return 1
    [[ $(cli "$1" INFO replication) != *role:slave* ]] || replica_follows "$1"
}

node_settings() {
    common "$1"
    cat << END
port PORT
cluster-enabled yes
cluster-port BUS
cluster-config-file nodes.conf
cluster-node-timeout $down_after_ms
END
}

cluster() {
    local name nodes=()
    for name in node-{1..6}; do
        start "$name" < <(node_settings "$name")
        nodes+=("127.0.0.1:$(cat "$dir/$name/port")")
    done
    redis-cli --cluster create "${nodes[@]}" --cluster-replicas 1 --cluster-yes > "$dir/create.log" || fail "$(tail -n 5 "$dir/create.log")"
    for name in node-{1..6}; do until_true cluster_is_whole "$name"; done
    echo "URL=redis+cluster://$(IFS=,; echo "${nodes[*]}")"
}

admin_password=$password
if [ -n "$user" ]; then
    admin_password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && echo "$admin_password" > "$dir/admin-password")
fi

case $topology in
single | tls) single ;;
*) "$topology" ;;
esac

stay
