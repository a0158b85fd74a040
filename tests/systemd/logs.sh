# Sourced by tests/systemd/inside, the agent being stopped and its database up: where log lines go.

# Of what it said since mark_journal: an entry that has all these fields. FIELD=REGEX...
entry_has()
{
        local filter='select(true' field
        journalctl --sync 2>/dev/null
        for field in "$@"; do
                filter+=" and ((.${field%%=*} // \"\" | tostring) | test(\"${field#*=}\"))"
        done
        journalctl -u "$unit" --no-pager -o json --since "$since" | jq -e -s "[.[] | $filter)] | length > 0"
}

# Nothing can be sent to the journal any more: it stands still, and its queue is full.
stop_journal()
{
        kill -STOP "$journald"
        python3 - <<'END'
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setblocking(False)
s.connect("/run/systemd/journal/socket")
try:
    while True:
        s.send(b"MESSAGE=filler\n")
except BlockingIOError:
    pass
END
}

# Whoever reads the FIFO has stopped doing so, and it is full.
fill_fifo() # PATH
{
        python3 - "$1" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
for piece in (b"x" * 4096, b"x"):
    try:
        while True:
            os.write(fd, piece)
    except BlockingIOError:
        pass
END
}

# ---- the journal ----
journald=$(systemctl show --value -p MainPID systemd-journald)
mkdir -p /etc/systemd/system/$unit.d
printf '[Service]\nTimeoutStopSec=20\nWatchdogSec=2\n' >/etc/systemd/system/$unit.d/logs.conf
systemctl daemon-reload
mark_journal
systemctl start $unit
check "journal: level, module and place are fields" until_true 10 entry_has "MESSAGE=^INFO agent .*compute-agent .* starting" "PRIORITY=^6$" \
        "LOGGER_NAME=^agent$" "LOGGER_LEVEL=^INFO$" "CODE_FILE=^agent/main.c$" "CODE_LINE=^[0-9]+$" "CODE_FUNC=^say_what_is_patched$" \
        "SYSLOG_IDENTIFIER=^compute-agent$" "_TRANSPORT=^journal$"
check "journal: no time in front of the message" not entry_has "LOGGER_NAME=." "MESSAGE=^20[0-9][0-9]-"
echo "hots = 1" >>$conf
systemctl reload $unit
check "journal: errors have their priority" until_true 10 entry_has "PRIORITY=^3$" "LOGGER_LEVEL=^ERROR$" "MESSAGE=hots"
write_conf test:///default

# ---- a journal that hangs ----
pid=$(property MainPID)
stop_journal
for i in 1 2 3; do kill -HUP "$pid"; done
check "the journal hangs: the agent answers" compute-agentctl status
sleep 3 # more than WatchdogSec
check "the journal hangs: the hub turns" compute-agentctl health
check "the journal hangs: it is the same process" is MainPID "$pid"
systemctl stop $unit
kill -CONT "$journald"
check "the journal hung: it stopped by itself" is Result success

check "use_journal = true where there is no journal: refused, with the reason" bash -c "
        (cat $conf; echo \"use_journal = 'true'\") >/tmp/no-journal.conf
        unshare --mount bash -c 'mount -t tmpfs none /run/systemd/journal && ! compute-agent --config-file /tmp/no-journal.conf' 2>&1 |
        grep 'use_journal is true, but there is no journal'"

# ---- a file ----
echo "log_file = '/var/log/compute-agent/compute-agent.log'" >>$conf
log=/var/log/compute-agent/compute-agent.log
mark_journal
systemctl start $unit
check "log_file: lines go there, with their time" until_true 10 grep -qE "^20[0-9-]+ [0-9:.]+ [0-9]+ INFO agent .* starting" $log
check "log_file: not to the journal" not entry_has "LOGGER_NAME=."
check "logrotate: its file is good" logrotate --debug /etc/logrotate.d/compute-agent
check "logrotate: rotates" logrotate --force --state /tmp/logrotate.state /etc/logrotate.d/compute-agent
check "logrotate: lines go to the new file" until_true 10 grep -q "configuration read again" $log
check "logrotate: it is closed to others" bash -c "[ \"\$(stat -c '%a %U %G' $log)\" = '640 compute-agent compute-agent' ]"
check "logrotate: the old one is kept" grep -q starting $log.1
cp $log /tmp/copy.log && truncate -s 0 $log # copytruncate
systemctl reload $unit
check "copytruncate: the file begins anew, without a hole" until_true 10 bash -c "head -c 3 $log | grep -q ^20"
systemctl stop $unit

# ---- a file that hangs ----
mkfifo -m 600 $log.fifo
chown compute-agent $log.fifo
write_conf test:///default
echo "log_file = '$log.fifo'" >>$conf
systemctl start $unit
check "a FIFO that nobody reads: it serves" is ActiveState active
fill_fifo $log.fifo
for i in 1 2 3; do systemctl reload $unit; done
check "a FIFO that nobody reads: it answers" compute-agentctl health
systemctl stop $unit
check "a FIFO that nobody reads: it stopped by itself" is Result success
rm /etc/systemd/system/$unit.d/logs.conf
systemctl daemon-reload
write_conf test:///default
