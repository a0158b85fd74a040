# Sourced by the scripts of tests/openstack: where everything of one control plane is, and how its processes are
# started, found and ended.
#
# OPENSTACK_STATE      the directory of everything that belongs to it; nothing is written elsewhere
# OPENSTACK_PORT_BASE  the first of six ports on 127.0.0.1 for the HTTP services; database and broker find their own
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
support=$here/../support
# Debian's Python and tools, not those of somebody's home.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

state=${OPENSTACK_STATE:?is the directory of a control plane: see tests/openstack/run}
: "${OPENSTACK_PORT_BASE:=17500}"
export OPENSTACK_STATE OPENSTACK_PORT_BASE
keystone_port=$((OPENSTACK_PORT_BASE + 0))
placement_port=$((OPENSTACK_PORT_BASE + 1))
glance_port=$((OPENSTACK_PORT_BASE + 2))
nova_port=$((OPENSTACK_PORT_BASE + 3))
neutron_port=$((OPENSTACK_PORT_BASE + 4))
nova_later_port=$((OPENSTACK_PORT_BASE + 5))
compute_host=compute-host
libvirt_uri="qemu+unix:///system?socket=$state/libvirt/run/libvirt-sock"

# The story is told from the first second on, whichever script tells the line.
: "${STORY_BEGAN:=$EPOCHREALTIME}"
export STORY_BEGAN

say()
{
        local now=${EPOCHREALTIME/[.,]/} began=${STORY_BEGAN/[.,]/} topic=$1 ms
        ms=$(((now - began) / 1000))
        shift
        printf '%4d.%02d s  %-10s %s\n' $((ms / 1000)) $((ms % 1000 / 10)) "$topic" "$*"
}

die()
{
        echo "openstack: $*" >&2
        exit 1
}

# ---- what the parts tell one another: lines NAME='VALUE' in $state/env

tell_env()
{
        printf '%s\n' "$@" >>"$state/env"
}

read_env()
{
        [ ! -e "$state/env" ] || . "$state/env"
}

# ---- processes: each one started here leads a session of its own, its pid is in $state/run/NAME.pid

# Database and broker, which have scripts of their own, keep it in their directories.
pid_of()
{
        cat "$state/run/$1.pid" 2>/dev/null || cat "$state/$1/pid" 2>/dev/null
}

# A zombie has ended.
running()
{
        local line
        line=$(grep -s '^State:' "/proc/$1/status") && [[ $line != *[ZX]\ * ]]
}

alive()
{
        local pid
        pid=$(pid_of "$1") && [ -n "$pid" ] && running "$pid"
}

# start NAME COMMAND...
start()
{
        local name=$1
        shift
        ! alive "$name" || return 0
        setsid "$@" >>"$state/log/$name.log" 2>&1 </dev/null 3>&- &
        echo $! >"$state/run/$name.pid"
        disown $!
}

# stop NAME SECONDS: TERM to the process if it has some seconds, then KILL to what is left of its session
stop()
{
        local name=$1 tries=$(($2 * 20)) pid
        pid=$(pid_of "$name") || return 0
        if ((tries > 0)) && running "$pid"; then
                kill -TERM "$pid" 2>/dev/null
                while running "$pid" && ((tries-- > 0)); do
                        sleep 0.05
                done
        fi
        kill -KILL -- "-$pid" 2>/dev/null
        rm -f "$state/run/$name.pid"
}

# wait_for SECONDS NAME COMMAND...: until the command succeeds; gives up at once if the process NAME has ended
wait_for()
{
        local limit=$((SECONDS + $1)) name=$2
        shift 2
        until "$@" >/dev/null 2>&1; do
                if [ -e "$state/run/$name.pid" ] && ! alive "$name"; then
                        tail -n 20 "$state/log/$name.log" >&2
                        die "$name has ended"
                fi
                if ((SECONDS > limit)); then
                        tail -n 20 "$state/log/$name.log" >&2
                        die "$name did not come up in time"
                fi
                sleep 0.1
        done
}

# ---- work in the background, each with a log

declare -A background

begin()
{
        local name=$1
        shift
        (
                set -e
                "$@"
        ) >"$state/log/$name.log" 2>&1 &
        background[$name]=$!
}

# finished NAME: waits for it; ends us when it failed
finished()
{
        [ -n "${background[$1]:-}" ] || return 0
        if ! wait "${background[$1]}"; then
                tail -n 20 "$state/log/$1.log" >&2
                die "$1 failed"
        fi
        unset "background[$1]"
}

# ---- asking

answers()
{
        curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$1/${2:-}"
}

sql()
{
        mariadb --no-defaults --batch --skip-column-names -uroot -S "$MARIADB_SOCKET" "$@"
}

nova_manage()
{
        nova-manage --config-file "$state/etc/nova.conf" "$@"
}

guests()
{
        timeout 20 virsh -c "$libvirt_uri" "$@"
}
