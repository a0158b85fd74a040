#!/usr/bin/python3
"""provision.py identity | resources | network | consumers QUEUE...

identity: users of the services, their roles, the catalog. Nova's services log in when they start, and end if they
are refused. resources: images and flavors of the tests. network: one that nobody uses. consumers: waits until each queue is consumed from.
"""
import subprocess
import sys
import tempfile

from cloud import ENV, STATE, URL, Cloud, poll

SERVICES = {'nova': ('compute', 'compute'), 'placement': ('placement', 'placement'),
            'glance': ('image', 'image'), 'neutron': ('network', 'network')}


def identity(cloud):
    def make(path, one, body):
        return cloud.post('identity', path, {one: body}).json()[one]['id']

    project = make('/projects', 'project', {'name': 'service', 'domain_id': 'default'})
    roles = {r['name']: r['id'] for r in cloud.get('identity', '/roles')['roles']}
    if 'service' not in roles:
        roles['service'] = make('/roles', 'role', {'name': 'service'})
    for name, (kind, url) in SERVICES.items():
        user = make('/users', 'user', {'name': name, 'password': ENV['PASSWORD'], 'domain_id': 'default',
                                       'default_project_id': project})
        for role in 'admin', 'service':
            cloud.request('identity', 'PUT', '/projects/%s/users/%s/roles/%s' % (project, user, roles[role]))
        service = make('/services', 'service', {'name': name, 'type': kind})
        for interface in 'public', 'internal':
            make('/endpoints', 'endpoint', {'service_id': service, 'interface': interface, 'url': URL[url],
                                            'region_id': 'RegionOne'})


def upload(cloud, name, data, disk_format='raw', **properties):
    image = cloud.post('image', '/v2/images', dict(properties, **{
        'name': name, 'disk_format': disk_format, 'container_format': 'bare', 'visibility': 'public'})).json()['id']
    cloud.request('image', 'PUT', '/v2/images/%s/file' % image, data=data,
                  headers={'Content-Type': 'application/octet-stream'})


def resources(cloud):
    with tempfile.NamedTemporaryFile(dir=STATE) as f:
        subprocess.run([sys.path[0] + '/../support/guest', f.name], check=True)
        with open(f.name, 'rb') as made:
            guest = made.read()
    upload(cloud, 'guest', guest)
    # libvirt refuses the guest of this one,
    upload(cloud, 'no-such-machine', guest, hw_machine_type='no-such-machine')
    # and this one is not what it says.
    upload(cloud, 'not-qcow2', guest, 'qcow2')
    for number, name, ram in (('1', 'tiny', 64), ('2', 'small', 128)):
        cloud.post('compute', '/flavors', {'flavor': {'id': number, 'name': name, 'ram': ram, 'vcpus': 1, 'disk': 1}})


def network(cloud):
    # A neutron-server (21.0.0) answers requests for ports with 500 until it was asked for something else.
    cloud.post('network', '/v2.0/networks', {'network': {'name': 'net'}})


def consumers(cloud, *queues):
    for queue in queues:
        poll('queue %s is consumed from' % queue, 60, lambda: cloud.consumers(queue))


{'identity': identity, 'resources': resources, 'network': network, 'consumers': consumers}[sys.argv[1]](Cloud(), *sys.argv[2:])
