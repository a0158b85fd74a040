# Sourced by tests/systemd/inside: the report of SIGUSR2, and what the watchdog's abort leaves in the journal. The hub is
# made to hang by a library that is preloaded (support/file_spy.c): its next beat waits for a file system that hangs.

reports=/var/log/compute-agent
spy=$1/tests/integration/file-spy.so

report_has() # PATTERN: of the newest report, when it is complete
{
        local newest
        newest=$(ls -t "$reports"/compute-agent_gurumeditation_* 2>/dev/null | head -n 1)
        [ -n "$newest" ] && grep -q 'End of the report' "$newest" && grep -E -- "$1" "$newest"
}

write_conf test:///default
printf "oslo_reports {\n    log_dir = '%s'\n}\n" "$reports" >>$conf
install -m 755 "$spy" /usr/lib/file-spy.so
mkdir -p /etc/systemd/system/$unit.d
cat >/etc/systemd/system/$unit.d/hang.conf <<END
[Service]
WatchdogSec=8
Environment=LD_PRELOAD=/usr/lib/file-spy.so SPY_PROGRAM=compute-agent SPY_LOG=/run/compute-agent/spied SPY_LOG_BELOW=/nowhere
Environment=SPY_HANG_WHILE=/run/hangs SPY_HANG_BELOW=/run/compute-agent/heartbeat
END
systemctl daemon-reload
mark_journal
systemctl start $unit
systemctl kill --kill-whom=main -s USR2 $unit
check "SIGUSR2: a report in log_dir" until_true 30 report_has 'product = compute-agent'
check "the hub told of itself" not report_has 'from a copy'
check "its mode is 0640" bash -c "[ \"\$(stat -c '%a %U' $reports/compute-agent_gurumeditation_*)\" = '640 compute-agent' ]"
check "no call was refused by the sandbox while it was written" not journal_has "could not be written|of no use|Operation not permitted"
rm -f $reports/*
touch /run/hangs
check "the hub hangs" until_true 20 journal_has "green thread heartbeat has held the hub"
systemctl kill --kill-whom=main -s USR2 $unit
check "a report of it is written meanwhile" until_true 30 report_has 'did not answer within 2 s and does not turn. It runs green thread heartbeat'
check "it says where the culprit is" report_has 'heart\+0x.*heartbeat.c'
check "with the green threads" report_has 'Green Threads \(from a copy\)'
check "and what waits in them" report_has 'hub_park\+0x'
check "and what goes on" report_has 'transport_ok = true'
check "no password in it" not report_has "$MARIADB_PASSWORD"
check "the watchdog ends it" until_true 40 journal_has "fatal signal 6 .SIGABRT. sent by process 1 "
check "the journal says where it was" until_true 20 journal_has '^ +heart\+0x.*heartbeat.c'
check "and what each green thread waited for" until_true 20 journal_has 'rpc accept .*: read fd'
rm -f /run/hangs
check "it was an abort, as the watchdog wants it" until_true 20 bash -c "journalctl --no-pager -u $unit | grep -qE 'code=(killed|dumped), status=6/ABRT'"
check "it is started again" until_true 30 is ActiveState active
systemctl stop $unit
rm -r /etc/systemd/system/$unit.d
systemctl daemon-reload
systemctl reset-failed $unit 2>/dev/null
write_conf test:///default
