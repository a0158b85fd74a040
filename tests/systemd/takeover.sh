# Sourced by tests/systemd/inside: nova-compute's host taken over by the drop-in user-nova.conf: its user, its
# directories.

# Disks in use are QEMU's and consoles are virtlogd's, as with nova-compute: who owns the directory may remove them.
not_novas()
{
        find /var/lib/nova/instances ! -user nova \( -type d -o ! -path '*/console.log' ! -user libvirt-qemu \)
}

# As Debian's package nova-common has them.
getent passwd nova >/dev/null || useradd --system --user-group --home-dir /var/lib/nova --shell /bin/sh nova
usermod -aG libvirt nova
install -d -o nova -g nova /var/lib/nova /var/lib/nova/instances
cat >/tmp/nova.conf <<END
[DEFAULT]
host = under-systemd
my_ip = 127.0.0.1
transport_url = rabbit://openstack:pw@127.0.0.1:1/
state_path = /var/lib/nova
[database]
connection = $MARIADB_URL
[libvirt]
virt_type = qemu
cpu_mode = none
[oslo_concurrency]
lock_path = /var/lock/nova
END
rm -f $conf
check "nova.conf is imported" compute-agent import-nova-conf --output $conf /tmp/nova.conf
systemd-tmpfiles --create compute-agent.conf
check "what was imported is closed to others, and the agent may read it" [ "$(stat -c '%a %U %G' $conf)" = "640 root compute-agent" ]
# there is no broker here, and its requests are not what is looked at
sed -i "s|^transport_url = .*|transport_url = 'unix:/run/compute-agent/rpc.sock'|" $conf
printf "images { source = 'local' }\n" >>$conf
install -D -m 644 /usr/share/doc/compute-agent/examples/user-nova.conf /etc/systemd/system/$unit.d/user-nova.conf
systemctl daemon-reload
systemctl start libvirtd
mark_journal
check "as nova it starts" systemctl start $unit
check "it is nova" [ "$(ps -o user= -p "$(property MainPID)")" = nova ]
check "it may give readers its socket" [ "$(stat -c '%U %G' /run/compute-agent/rpc.sock)" = "nova compute-agent-readers" ]
check "it locks where nova does" [ "$(stat -c %U /run/lock/nova)" = nova ]
check "an image is imported" compute-agentctl image-import /tmp/guest.raw --name tiny
check "a guest is built in nova's directory" compute-agentctl boot --image tiny --vcpus 1 --memory 32 --disk 1 --wait second
check "what it made is nova's" [ "$(not_novas)" = "" ]
check "it is stopped" compute-agentctl stop second --force --wait
check "stopped, it still is" [ "$(not_novas)" = "" ]
check "deleted" compute-agentctl delete second --wait
check "the sandbox refused nothing" not journal_has "Operation not permitted|Permission denied"
systemctl stop $unit libvirtd
rm -r /etc/systemd/system/$unit.d
systemctl daemon-reload
