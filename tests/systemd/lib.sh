# Sourced by tests/systemd/inside and tests/package/inside, which run as root on a throw-away system under a real systemd
# (support/with-systemd): whatever they install or write vanishes at the end.
set -uo pipefail
unit=compute-agent.service
conf=/etc/compute-agent.conf

# check NAME COMMAND...   `| jq -e` in it wants `bash -o pipefail -c`: to jq 1.6 no input at all is a success
check()
{
        local name=$1 said
        shift
        if said=$("$@" 2>&1); then
                echo "ok: $name"
        else
                echo "FAILED: $name: $* said: $(tail -n 5 <<<"$said" | tr '\n' ' ')"
        fi
}

until_true() # seconds, command...: tries ten times a second
{
        local i n=$(($1 * 10))
        shift
        for ((i = 0; i < n; i++)); do
                "$@" >/dev/null 2>&1 && return 0
                sleep 0.1
        done
        "$@"
}

property() # NAME: of the unit
{
        systemctl show --value -p "$1" "$unit"
}

is() # NAME VALUE: the unit's property matches an extended regular expression
{
        local value
        value=$(property "$1")
        [[ $value =~ ^($2)$ ]] || { echo "$1 is \"$value\""; return 1; }
}

not()
{
        ! "$@"
}

journal_has() # PATTERN: of what it said since mark_journal
{
        journalctl --sync 2>/dev/null
        journalctl -u "$unit" --no-pager -o cat --since "$since" | tee /dev/stderr | grep -E -- "$1"
}

# From here on journal_has() looks.
mark_journal()
{
        since=$(date '+%F %T.%6N')
}

write_conf() # URI of the hypervisor
{
        cat >$conf <<END
host = 'under-systemd'
my_ip = '127.0.0.1'
graceful_shutdown_timeout = 10
heartbeat_interval = 1
database { connection = '$MARIADB_URL' }
libvirt {
    connection_uri = '$1'
    virt_type = 'qemu'
    cpu_mode = 'none'
}
END
        systemd-tmpfiles --create compute-agent.conf
}

guest_pid()
{
        pgrep -f 'qemu-system.*guest=instance-'
}

state_is() # vm_state
{
        [ "$(compute-agentctl instances --json | jq -r ".instances[] | select(.uuid == \"$uuid\") | .vm_state")" = "$1" ]
}

uuid_is_one() # TEXT
{
        [[ $1 =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]]
}
