# Sourced by tests/systemd/inside while the agent serves: who may ask what of it over the control socket.

socket=/run/compute-agent/rpc.sock
stranger="setpriv --reuid nobody --regid nogroup --clear-groups"
reader="setpriv --reuid nobody --regid nogroup --groups compute-agent-readers"

exits_with() # STATUS COMMAND...
{
        local want=$1 got=0
        shift
        "$@" || got=$?
        [ $got = "$want" ] || { echo "exit status $got"; return 1; }
}

each() # how, then the commands of compute-agentctl
{
        local how=$1 command
        shift
        for command in "$@"; do
                $how compute-agentctl $command >/dev/null || { echo "$command"; return 1; }
        done
}

check "the control socket is for the agent's user and the readers' group" bash -c "[ \"\$(stat -c '%a %U %G' $socket)\" = '660 compute-agent compute-agent-readers' ]"
check "root may all" each "" status "log-level warning" "log-level info"
check "report: it is said how to read it" bash -c "compute-agentctl report | grep 'to the journal: journalctl -u compute-agent'"
check "log-level: of a module, for a while" bash -c "compute-agentctl log-level debug --module rpc --for 1h | grep -E 'rpc +DEBUG \(for ' && compute-agentctl log-level reset --module rpc | grep -E 'rpc +INFO$'"
check "the agent's own user may all" each "setpriv --reuid compute-agent --regid compute-agent --clear-groups" status "log-level info"
check "a reader may look, by a supplementary group" each "$reader" status health instances threads pools tasks log-level
check "or by his first group" each "setpriv --reuid nobody --regid compute-agent-readers --clear-groups" status
for change in drain report resync "log-level debug" "call get_host_uptime"; do
        check "a reader may not $change: exit status 5" exits_with 5 $reader compute-agentctl $change
done
check "a reader may not stop an instance, and is told so in the command's name" bash -c "$reader compute-agentctl stop first 2>&1 | grep -q 'stop: you may not'"
check "who is no reader is refused: exit status 5" exits_with 5 $stranger compute-agentctl status
check "and told what to do" bash -c "$stranger compute-agentctl status 2>&1 | grep -q compute-agent-readers"
chmod 666 $socket # a door left open
check "his credentials are looked at, not only the socket's mode" exits_with 5 $stranger compute-agentctl health
chmod 660 $socket
