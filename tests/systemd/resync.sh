# Sourced by tests/systemd/guests.sh while a guest ($uuid) runs: it goes off behind the agent's back, which neither listens
# to the hypervisor nor looks by itself.

row_of() # [jq's path]: of the instance
{
        compute-agentctl instances --json | jq -r ".instances[] | select(.uuid == \"$uuid\") | $1"
}

states_are() # vm_state and power_state of the row, then the hypervisor's
{
        [ "$(row_of '[.vm_state, .power_state, .hypervisor_state] | join(" ")')" = "$1" ]
}

resync_says() # PATTERN: of the power states
{
        compute-agentctl resync 2>/dev/null | tee /dev/stderr | grep -E "sync_power_states +done .*$1"
}

printf 'sync_power_state_interval = -1\nworkarounds {\n    handle_virt_lifecycle_events = false\n}\n' >>$conf
systemctl reload $unit
check "a reload makes it look at nothing by itself" until_true 20 bash -o pipefail -c "compute-agentctl tasks --json | jq -e '.tasks[] | select(.task == \"sync_power_states\") | .idle == \"its interval is negative\"'"
# two seconds after it has connected to libvirt it looks at all guests once
check "it has looked at all since it started" until_true 20 bash -c "journalctl --no-pager -o cat _PID=$(property MainPID) | grep 'looking at all guests'"
check "resync: all is well" resync_says 'all are as the rows say'
virsh -c qemu:///system destroy "$(row_of .name)" >/dev/null
check "a guest is destroyed, and the row does not know" until_true 20 states_are "active running shutdown"
check "resync UUID: of an instance that is not here: exit status 1" exits_with 1 compute-agentctl resync 00000000-0000-4000-8000-000000000000
check "resync: each task's result" resync_says '1 differed'
check "resync: it is seen" [ "$(row_of .power_state)" = shutdown ]
check "and the instance is stopped" until_true 20 state_is stopped
check "resync NAME" bash -o pipefail -c "compute-agentctl resync first --json 2>/dev/null | jq -e '.ok and .steps[0].state == \"done\" and (.steps | length) == 1'"
write_conf qemu:///system
systemctl reload $unit
