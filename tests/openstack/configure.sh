# Sourced by controlplane and compute: the configuration files of all services. What stands here is what an operator
# would write; nothing in it is for compute-agent.

db_url()
{
        echo "mysql+pymysql://nova:$MARIADB_PASSWORD@127.0.0.1:$MARIADB_PORT/$1?charset=utf8"
}

# credentials USER: what a service shows keystone
credentials()
{
        cat <<END
auth_type = password
auth_url = http://127.0.0.1:$keystone_port/v3
username = $1
password = $PASSWORD
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
END
}

authtoken()
{
        cat <<END
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:$keystone_port
service_token_roles_required = false
$(credentials "$1")
END
}

configure_keystone()
{
        cat >"$state/etc/keystone.conf" <<END
[DEFAULT]
log_dir =
use_stderr = true
[database]
connection = $(db_url keystone)
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = $state/keystone/fernet-keys
[fernet_receipts]
key_repository = $state/keystone/fernet-keys
[credential]
key_repository = $state/keystone/credential-keys
[oslo_policy]
enforce_scope = false
END
}

configure_placement()
{
        mkdir -p "$state/etc/placement"
        cat >"$state/etc/placement/placement.conf" <<END
[DEFAULT]
use_stderr = true
[api]
auth_strategy = keystone
[placement_database]
connection = $(db_url placement)
$(authtoken placement)
END
}

configure_glance()
{
        cat >"$state/etc/glance-api.conf" <<END
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $glance_port
workers = 0
use_stderr = true
enabled_import_methods = []
[database]
connection = $(db_url glance)
$(authtoken glance)
[paste_deploy]
flavor = keystone
config_file = /etc/glance/glance-api-paste.ini
[glance_store]
stores = file,http
default_store = file
filesystem_store_datadir = $state/glance
[oslo_concurrency]
lock_path = $state/lock
END
}

configure_neutron()
{
        cat >"$state/etc/neutron.conf" <<END
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $neutron_port
core_plugin = ml2
service_plugins =
api_paste_config = /etc/neutron/api-paste.ini
transport_url = $RABBITMQ_URL
state_path = $state/neutron
api_workers = 1
rpc_workers = 1
rpc_state_report_workers = 0
dhcp_agent_notification = false
use_stderr = true
log_dir =
[database]
connection = $(db_url neutron)
[nova]
$(credentials nova)
[placement]
$(credentials placement)
[oslo_concurrency]
lock_path = $state/lock
$(authtoken neutron)
[ml2]
type_drivers = local
tenant_network_types = local
mechanism_drivers =
extension_drivers =
END
}

# What the control plane's part of nova and nova-compute have in common
nova_common()
{
        cat <<END
[oslo_concurrency]
lock_path = $state/lock
[placement]
$(credentials nova)
[glance]
api_servers = http://127.0.0.1:$glance_port
[neutron]
$(credentials neutron)
[service_user]
send_service_user_token = true
$(credentials nova)
END
}

# nova_control FILE PORT [OPTION...]
nova_control()
{
        local file=$1 port=$2
        shift 2
        cat >"$state/etc/$file" <<END
[DEFAULT]
host = control
my_ip = 127.0.0.1
transport_url = $RABBITMQ_URL
state_path = $state/nova
use_stderr = true
log_dir =
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = $port
osapi_compute_workers = 1
enabled_apis = osapi_compute
allow_resize_to_same_host = true
$(printf '%s\n' "$@")
[api]
auth_strategy = keystone
[wsgi]
api_paste_config = /etc/nova/api-paste.ini
[api_database]
connection = $(db_url nova_api)
[database]
connection = $(db_url nova_cell1)
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = -1
[oslo_policy]
enforce_scope = false
$(authtoken nova)
$(nova_common)
END
}

# A second nova-api has servers deleted softly, which the setting of the first would do to all of them.
configure_nova()
{
        nova_control nova.conf "$nova_port"
        nova_control nova-later.conf "$nova_later_port" 'reclaim_instance_interval = 3600'
}

configure_nova_compute()
{
        cat >"$state/etc/nova-compute.conf" <<END
[DEFAULT]
host = $compute_host
my_ip = 127.0.0.1
transport_url = $RABBITMQ_URL
state_path = $state/nova
instances_path = \$state_path/instances
use_stderr = true
log_dir =
compute_driver = libvirt.LibvirtDriver
allow_resize_to_same_host = true
shutdown_timeout = 20
reclaim_instance_interval = 3600
[libvirt]
virt_type = $VIRT_TYPE
cpu_mode = none
connection_uri = $libvirt_uri
wait_soft_reboot_seconds = 30
[vnc]
enabled = true
server_listen = 127.0.0.1
server_proxyclient_address = 127.0.0.1
novncproxy_base_url = http://127.0.0.1:6080/vnc_auto.html
[spice]
enabled = false
[nova_sys_admin]
helper_command = /usr/bin/privsep-helper --config-file $state/etc/nova-compute.conf
[vif_plug_ovs_privileged]
helper_command = /usr/bin/privsep-helper --config-file $state/etc/nova-compute.conf
[vif_plug_linux_bridge_privileged]
helper_command = /usr/bin/privsep-helper --config-file $state/etc/nova-compute.conf
$(nova_common)
END
}

# Guests run as root in directories of ours, without the machine's security drivers and control groups.
configure_libvirt()
{
        cp -r /etc/libvirt/. "$state/libvirt/etc/"
        rm -f "$state/libvirt/etc/qemu/networks/autostart/"*
        cat >"$state/libvirt/etc/qemu.conf" <<END
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = [ ]
cgroup_controllers = [ ]
vnc_listen = "127.0.0.1"
END
        cat >"$state/libvirt/etc/libvirtd.conf" <<END
unix_sock_group = "root"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:stderr"
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
END
        echo 'log_outputs = "3:stderr"' >"$state/libvirt/etc/virtlogd.conf"
}
