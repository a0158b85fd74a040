# Sourced by tests/systemd/inside: real guests below libvirtd, the agent as packaged: not root, in its sandbox.

# The /dev that libvirt makes for each QEMU lacks what is bound into the one of a container.
echo 'namespaces = []' >>/etc/libvirt/qemu.conf
write_conf qemu:///system
systemctl start libvirtd
systemctl start $unit
check "with libvirtd: it serves" is StatusText "serving as under-systemd"
"$support/guest" /tmp/guest.raw
mark_journal
check "an image is imported" compute-agentctl image-import /tmp/guest.raw --name tiny
# the list of this host has it only once the build has claimed its resources, so its id comes from here
uuid=$(compute-agentctl boot --json --image tiny --vcpus 1 --memory 32 --disk 1 first | jq -r .uuid)
check "a guest is being built" uuid_is_one "$uuid"
check "it gets active" until_true 60 state_is active
check "its console says that it is up" until_true 60 bash -c "compute-agentctl console $uuid | grep -q 'GUEST up'"
check "the journal knows its request and instance" until_true 10 entry_has "REQUEST_ID=^req-" "USER_ID=." "PROJECT_ID=." "INSTANCE_UUID=^$uuid\$" "LOGGER_NAME=^compute"
qemu=$(guest_pid)
check "QEMU is in libvirtd's control group, not in the agent's" bash -c "grep -q machine /proc/$qemu/cgroup && ! grep -q compute-agent /proc/$qemu/cgroup"
check "operations in flight are recorded, for nobody else to read" \
        bash -c "[ \"\$(stat -c '%a %U' /var/lib/compute-agent/operations.journal)\" = '600 compute-agent' ]"
check "and health knows" bash -o pipefail -c "compute-agentctl health --json | jq -e '.checks.journal.status == \"pass\"'"
program=$(command -v compute-agent)
cp "$program" "$program.new" && mv "$program.new" "$program" # as an upgrade does
check "an upgraded program: status says that a restart is pending" until_true 30 \
        bash -o pipefail -c "compute-agentctl status --json | jq -e '.restart_pending | test(\"was replaced at\")'"
systemctl restart $unit
check "restarted: none is" bash -o pipefail -c "compute-agentctl status --json | jq -e '.restart_pending == null'"
check "restart: the same QEMU" [ "$(guest_pid)" = "$qemu" ]
systemctl kill -s KILL $unit
check "crash: started again" until_true 20 is NRestarts 1
check "crash: it gets ready" until_true 30 is ActiveState active
check "crash: the same QEMU" [ "$(guest_pid)" = "$qemu" ]
systemctl stop $unit
check "stop: the same QEMU" [ "$(guest_pid)" = "$qemu" ]
systemctl start $unit
check "a guest that lived meanwhile is stopped" compute-agentctl stop "$uuid"
check "it is shut down" until_true 90 state_is stopped
check "and started" compute-agentctl start "$uuid"
check "it is active again" until_true 60 state_is active
. "$here/resync.sh" # which leaves it stopped
check "rebooted hard" compute-agentctl reboot "$uuid" --hard
check "it is active after that" until_true 60 bash -o pipefail -c "compute-agentctl instances --json | jq -e '.instances[0] | .vm_state == \"active\" and .task_state == null'"
check "deleted" compute-agentctl delete "$uuid"
check "nothing of it is left" until_true 60 not test -e "/var/lib/compute-agent/instances/$uuid"
check "no QEMU either" until_true 20 not guest_pid
check "no call was refused by the sandbox" not journal_has "Operation not permitted|Permission denied"
systemctl stop $unit libvirtd
