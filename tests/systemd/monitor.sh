# Sourced by tests/systemd/inside while the agent serves: what monitoring finds on an installed system.

share=/usr/share/compute-agent
curl -s --unix-socket /run/compute-agent/http.sock http://l/metrics >/tmp/metrics
check "GET /metrics in the sandbox: Prometheus accepts it" bash -c "promtool check metrics </tmp/metrics"
check "the process is told in it, too" bash -c "grep -qE '^process_open_fds [1-9]' /tmp/metrics && grep -qE '^process_resident_memory_bytes [1-9]' /tmp/metrics"
check "the database that came late is told as reached, all checks pass" bash -c "grep -qx 'compute_agent_database_up 1' /tmp/metrics && ! grep -E '^compute_agent_health.* [12]$' /tmp/metrics"
check "the alert rules are where README says" promtool check rules $share/prometheus/compute-agent.rules.yml
check "so is the dashboard" jq -e '.title == "compute-agent"' $share/grafana/compute-agent.json
