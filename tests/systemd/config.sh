# Sourced by inside, with the agent running on libvirt's test driver and its database there: what a reload changes,
# what it refuses, conf.d, and secrets as credentials of systemd.
confd=/etc/compute-agent.conf.d
drop_in=/etc/systemd/system/$unit.d/credential.conf
systemctl reset-failed $unit
systemctl start $unit
check "config: it serves" until_true 30 is StatusText "serving as under-systemd"

mark_journal
printf 'max_concurrent_builds = 3\nreserved_host_cpus = 1\nhost = "renamed"\n' >$confd/10-test.conf
systemd-tmpfiles --create compute-agent.conf
check "config: conf.d is closed to others" bash -c "[ \"\$(stat -c '%a %U %G' $confd $confd/10-test.conf | tr '\n' ' ')\" = '750 root compute-agent 640 root compute-agent ' ]"
systemctl reload $unit
check "config: a reload names what changes" until_true 20 journal_has "reload: max_concurrent_builds: 10 → 3"
check "config: each of it" journal_has "reload: reserved_host_cpus: 0 → 1"
check "config: and what needs a restart" journal_has "reload: needs a restart: host: 'under-systemd' → 'renamed'"
check "config: active again, under its name" until_true 20 is StatusText "serving as under-systemd"

mark_journal
printf 'max_concurrent_build = 4\nlog_level = "DEBUG"\nreport_interval = 0\n' >$confd/20-wrong.conf
chgrp compute-agent $confd/*.conf
systemctl reload $unit
check "config: a reload with mistakes is refused" until_true 20 journal_has "reload refused, mistakes: 2"
check "config: each is named with its file and line" journal_has "reload: $confd/20-wrong.conf:3: report_interval must be 1 to 86400 seconds, not 0"
check "config: systemctl status tells" until_true 20 is StatusText "serving as under-systemd; the last reload was refused, see the log"
check "config: compute-agentctl asks it nevertheless" bash -o pipefail -c "compute-agentctl health --json 2>/dev/null | jq -e '.checks.configuration.status == \"warn\"'"
check "config: it is active" is ActiveState active
check "config: health warns" bash -o pipefail -c "compute-agentctl --socket /run/compute-agent/rpc.sock health --json | jq -e '.checks.configuration.status == \"warn\"'"
check "config: nothing changed" bash -c "compute-agentctl --socket /run/compute-agent/rpc.sock log-level | grep -qi info"
rm $confd/*.conf
systemctl reload $unit
check "config: a good one mends it" until_true 20 is StatusText "serving as under-systemd"
check "config: and takes back" until_true 20 journal_has "reload: max_concurrent_builds: 3 → 10"

# ---- a secret that only systemd can read ----
systemctl stop $unit
install -m 600 /dev/null /etc/agent-connection
sed -n "s/^database { connection = '\(.*\)' }/\1/p" $conf >/etc/agent-connection
sed -i '/^database/d' $conf
mkdir -p "$(dirname "$drop_in")"
printf '[Service]\nLoadCredential=compute-agent.database.connection:/etc/agent-connection\n' >"$drop_in"
systemctl daemon-reload
mark_journal
systemctl start $unit
check "config: with its database as a credential it serves" until_true 30 is StatusText "serving as under-systemd"
printf "database { connection = 'mysql://nova@localhost/nova' }\n" >$confd/10-twice.conf
chgrp compute-agent $confd/*.conf
systemctl reload $unit
check "config: two places for one secret are refused" until_true 20 journal_has "10-twice.conf:1: connection and the credential compute-agent.database.connection exclude one another"
systemctl stop $unit
rm -f "$drop_in" $confd/*.conf /etc/agent-connection
systemctl daemon-reload
mark_journal
systemctl start $unit 2>/dev/null
check "config: without the credential it does not start: 78" until_true 20 is ExecMainStatus 78
check "config: and says what misses" until_true 20 journal_has "\[database\] connection is not set"
systemctl reset-failed $unit
write_conf test:///default
