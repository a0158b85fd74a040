# Sourced by tests/systemd/inside while the agent serves: draining lasts over a restart, and may end the agent.

check "drain: it is drained, and the reason says who wanted it" bash -c "compute-agentctl drain --reason 'new kernel' | grep 'by root .*new kernel'"
check "drain: STATUS= says so" until_true 10 is StatusText "drained: by root .*new kernel"
check "drain: that is no matter of health" bash -o pipefail -c "compute-agentctl health --json | jq -e '.checks.service | .status == \"pass\" and (.output | test(\"DRAIN: by root\"))'"
check "drain again, without a reason: it keeps that" bash -c "compute-agentctl drain | grep 'by root .*new kernel'"
systemctl restart $unit
check "drain: a restart changes nothing" is StatusText "drained: by root .*new kernel"
check "undrain takes it back" compute-agentctl undrain
check "undrain: STATUS= says so" until_true 10 is StatusText "serving as under-systemd"
check "drain --stop ends the agent" compute-agentctl drain --stop
check "drain --stop: as systemctl stop would" until_true 20 is ActiveState inactive
check "drain --stop: success" is Result success
check "compute-agentctl without an agent: exit status 3" exits_with 3 compute-agentctl status
systemctl start $unit
check "drain: the next start finds it in the services row" is StatusText "drained: by root .*"
compute-agentctl undrain >/dev/null
