#!/usr/bin/python3
"""
test_secrets AGENT CTL: passwords and tokens stay where they belong. Each place that a secret can come from gets one
that is found nowhere else; then all that the agent says is searched for all of them: mistakes in the configuration,
logs of connections that fail and of requests at level DEBUG, replies, rows that users see, health, metrics, reports,
compute-agentctl, and its last words when it crashes.
"""
import base64
import glob
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, '..', '..', 'support'))

import amqp

import captured
from report import Report
from test_replay import Replay
from world import Orphans, World

ASKED = ('status', 'health', 'instances', 'jobs', 'threads', 'pools', 'locks', 'tasks', 'log-level')
TOLD = ('instance_faults', 'instance_actions', 'instance_actions_events', 'services', 'compute_nodes')


MISTAKES = (
    "database { connection = 'mysql//nova:SECRET@db/x' }",
    "database { connection = 'mysql://nova:SECRET@db:99999/x' }",
    "database { connection = 'mysql://nova:%zzSECRET@db/x' }",
    "database { connection = 'mysql://nova:SECRET@db/x?a' }",
    "database { connection = 'postgresql://nova:SECRET@db/x' }",
    "database { conection = 'mysql://nova:SECRET@db/x' }",
    "database { connection = 'mysql://nova:SECRET@db/x'",
    "transport_url = 'rabbit:/nova:SECRET@h/'",
    "transport_url = 'amqp://nova:SECRET@h/'",
    "transport_url = 'rabbit://nova:SECRET@h:0/'",
    "transport_ulr = 'rabbit://n:SECRET@h/'",
    "placement { password = SECRET#x }",
    'placement { password = "${SECRET}" }',
    "placement { pasword = 'SECRET' }",
    "placement { password = 'SECRET",
    "placement { password = 'SECRET' password = 'x' }",
    "placement { password = 'SECRET\n' }",
    "placement { auth_url = 'http://user:SECRET@keystone' }",
    "placement = 'SECRET'",
    "service_user { password { 'SECRET' } }",
    "glance { api_servers = 'http://user:SECRET@glance' }",
    "password = 'SECRET'",
)

FILE_MISTAKES = (
    ('url', 'mysql//nova:SECRET@db/x'),
    ('control', 'SECRET\001x'),
    ('lines', 'SECRET\nSECRET'),
)


def new(name):
    return 'S3cret-%s-%s' % (name, secrets.token_hex(8))


class SecretWorld(World):
    """A world whose passwords are all different, and where each can be made a wrong one."""

    def __init__(self, *args):
        self.right = {'keystone': new('keystone')}
        self.wrong = {name: new('wrong-' + name) for name in ('database', 'broker', 'placement', 'service_user')}
        self.use_wrong = set(self.wrong)
        self.config_drives = 0
        super().__init__(*args, password=self.right['keystone'])
        self.right.update(database=self.env['MARIADB_PASSWORD'], broker=self.env['RABBITMQ_PASSWORD'])

    def use(self, name, right):
        return self.wrong[name] if name in self.use_wrong else right

    def conf(self):
        """One of the passwords is in a file of its own, one a credential of the service manager."""
        text = super().conf()
        os.environ['CREDENTIALS_DIRECTORY'] = self.path('credentials')
        self.keep(('password',), self.use('service_user', self.cloud.password))
        self.keep(('credentials', 'compute-agent.placement.password'), self.use('placement', self.cloud.password))
        text = text.replace("    password = '%s'\n" % self.cloud.password, '')
        for name, right in (('database', self.env['MARIADB_PASSWORD']), ('broker', self.env['RABBITMQ_PASSWORD'])):
            text = text.replace(':%s@' % right, ':%s@' % self.use(name, right))
        text = text.replace("socket = ''", "socket = '%s'" % self.path('http.sock'))
        return text + f"""
debug = true
vnc {{
    enabled = true
}}
service_user {{
    send_service_user_token = true
    auth_type = 'password'
    auth_url = '{self.cloud.url}/identity'
    username = '{self.cloud.user}'
    password_file = '{self.path('password')}'
    user_domain_name = 'Default'
    project_name = 'service'
    project_domain_name = 'Default'
}}
"""

    def keep(self, where, secret):
        os.makedirs(os.path.dirname(self.path(*where)), exist_ok=True)
        with open(self.path(*where), 'w', encoding='utf-8') as f:
            f.write(secret + '\n')
        os.chmod(self.path(*where), 0o600)

    def control(self, *args):
        if args == ('db-init',):  # with the right password
            before, self.use_wrong = self.use_wrong, set()
            self.write_conf()
            out = super().control(*args)
            self.use_wrong = before
            self.write_conf()
            return out
        return super().control(*args)


class Secrets:
    def __init__(self, world, report):
        self.world, self.report = world, report
        self.replay = Replay(world, report)
        self.known = {**world.right, **{'wrong ' + k: v for k, v in world.wrong.items()}}

    def know(self, name, secret=None):
        self.known[name] = secret or new(name)
        return self.known[name]

    def search(self, where, text, must=None):
        """No secret is in the text, which is not empty (and has `must`, else nothing was proved)."""
        found = [name for name, secret in self.known.items() if secret in text]
        lines = [line for line in text.splitlines() if any(secret in line for secret in self.known.values())]
        self.report.check('%s: no secret in it' % where, not found, *found, *lines[:5])
        self.report.check('%s: there is something in it' % where, (must or '') in text and text, text[-2000:])

    def run(self, *command):
        done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=60, errors='replace')
        return done.returncode, done.stdout

    # ---- the configuration ----

    def mistakes(self):
        """What is wrong is told without the value."""
        s = self.know('mistaken')
        for text in MISTAKES:
            with open(self.world.path('mistaken'), 'w', encoding='utf-8') as f:
                f.write("host = 'h'\n" + text.replace('SECRET', s))
            status, said = self.run(self.world.agent, '--check-config', '--config-file', self.world.path('mistaken'))
            self.report.check('mistake %r: refused' % text, status == 78, said)
            self.search('mistake %r' % text, said, 'mistaken')

        for name, text in FILE_MISTAKES:
            self.world.keep(('mistaken.' + name,), text.replace('SECRET', s))
            section, key = ('database', 'connection') if name == 'url' else ('placement', 'password')
            with open(self.world.path('mistaken'), 'w', encoding='utf-8') as f:
                f.write("host = 'h'\n%s { %s_file = '%s' }\n" % (section, key, self.world.path('mistaken.' + name)))
            status, said = self.run(self.world.agent, '--check-config', '--config-file', self.world.path('mistaken'))
            self.report.check('mistake in a file with a secret (%s): refused' % name, status == 78, said)
            self.search('mistake in a file with a secret (%s)' % name, said, 'mistaken')

    def dumped(self):
        for option in ('--dump-config', '--check-config'):
            self.search(option, self.run(self.world.agent, option, '--config-file', self.world.path('conf'))[1],
                        '***' if option == '--dump-config' else '')

    # ---- all that can be asked ----

    def get(self, path):
        connection = http.client.HTTPConnection('localhost')
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.world.path('http.sock'))
        connection.request('GET', path)
        return connection.getresponse().read().decode()

    def look_everywhere(self, when):
        for path in ('/health', '/metrics'):
            self.search('%s: GET %s' % (when, path), self.get(path))
        ctl = [self.world.ctl, '--config-file', self.world.path('conf')]
        said = ''.join(self.run(*ctl, *how, what)[1] for what in ASKED for how in ((), ('--json',)))
        self.search('%s: compute-agentctl' % when, said, 'hypervisor')
        self.run(*ctl, 'report')
        self.world.process.send_signal(signal.SIGUSR2)
        self.world.until('the report is written', lambda: self.report_text(), 30)
        self.search('%s: report' % when, self.report_text())
        self.search('%s: log' % when, self.world.log(), 'DEBUG')

    def report_text(self):
        """It goes to standard error where no log file is named, or to a file of its own."""
        texts = [self.world.log()] if 'green threads' in self.world.log() else []
        for name in glob.glob(self.world.path('*report*')):
            with open(name, encoding='utf-8', errors='replace') as f:
                texts.append(f.read())
        return '\n'.join(texts)

    def rows(self, when):
        self.search('%s: rows that are shown' % when, str(self.world.cell.read(TOLD)))

    def files(self, when):
        """What it keeps for itself; a config drive is the guest's."""
        texts = []
        for folder, _, names in os.walk(self.world.path('state')):
            for name in names:
                if name == 'disk.config':
                    self.world.config_drives += 1
                elif os.path.getsize(os.path.join(folder, name)) < 1 << 20:
                    with open(os.path.join(folder, name), 'rb') as f:
                        texts.append('%s: %s' % (name, f.read().decode('utf-8', 'replace')))
        self.search('%s: files' % when, '\n'.join(texts))

    # ---- passwords that are wrong ----

    def refused(self):
        """One after the other is made right: each failure is seen."""
        for name, said in (('database', 'Access denied'), ('broker', 'ACCESS_REFUSED'), ('placement', '401')):
            self.world.start_agent(said)
            self.look_everywhere('wrong password of the %s' % name)
            status = self.world.stop_agent()
            self.report.check('it stops with status 0', status == 0, status)
            self.search('wrong password of the %s: log at the end' % name, self.world.log(), said)
            self.world.use_wrong.discard(name)
            self.world.write_conf()

    # ---- requests ----

    def seeded(self, body, unique):
        """The recorded request with secrets of its own wherever a user may have some."""
        request = captured.message(body)
        token, word, data = self.know('token'), self.know('admin-password'), self.know('user-data')
        self.world.cloud.tokens.add(token)
        coded = self.know('user-data in base64', base64.b64encode(data.encode() * 3).decode())
        body = body.replace('<token>', token).replace(request['_unique_id'], '%032x' % unique)
        if '_msg_id' in request:
            body = body.replace(request['_msg_id'], '%032x' % (unique + 1000))
        if 'admin_password' in request['args']:
            body = body.replace(request['args']['admin_password'], word)
        body = body.replace(r'\"user_data\": null', r'\"user_data\": \"%s\"' % coded)
        body = body.replace(r'\"config_drive\": \"\"', r'\"config_drive\": \"True\"')
        return body.replace(r'\"injected_files\": []', r'\"injected_files\": [[\"/etc/key\", \"%s\"]]' % coded)

    def boot(self):
        step, uuid = self.replay.life['steps'][0], self.replay.life['instance']
        before = captured.put({}, step['before'])
        body = self.replay.node.in_body(self.seeded(captured.body(step['message']), 1))
        self.world.cell.put(before)
        self.world.cell.query("UPDATE instances SET user_data = %s, config_drive = 'True'",
                              (self.known['user-data in base64'],))
        self.replay.claim(uuid, body)
        self.world.broker.publish(body)
        self.report.check('boot: the event is finished', self.replay.finished(body, before))
        self.report.check('boot: it is active', self.world.cell.query(
            "SELECT 1 FROM instances WHERE vm_state = 'active'"), self.world.cell.read(['instance_faults']))
        return uuid, before

    def calls(self, uuid):
        """Some succeed, most are refused: the reply tells no secret of the request, nor do rows and log."""
        recorded = captured.load('calls.json')['instance']
        replies = ''
        for n, name in enumerate(('get_vnc_console', 'rebuild_instance', 'rescue_instance', 'get_console_output')):
            body = self.seeded(captured.body(name + '.json'), 10 + n).replace(recorded, uuid)
            got = self.world.broker.call(body, 20) if '_msg_id' in captured.message(body) \
                else self.world.broker.publish(body) and None
            if got and name == 'get_vnc_console' and got[1]['result']:
                self.know('console token', got[1]['result']['token'])
            elif got:
                replies += str(got[1])
        body = self.seeded(captured.body('get_console_output.json'), 30)
        for n, (method, argument) in enumerate((('set_admin_password', 'new_pass'), ('no_such_method', 'password'),
                                                ('get_console_output', 'secret'))):
            word = self.know('argument of ' + method)
            text = body.replace('%032x' % 30, '%032x' % (40 + n)).replace('%032x' % 1030, '%032x' % (1040 + n))
            text = text.replace(r'\"method\": \"get_console_output\"', r'\"method\": \"%s\"' % method)
            text = text.replace(r'\"args\": {', r'\"args\": {\"%s\": \"%s\", ' % (argument, word))
            got = self.world.broker.call(text, 20)
            self.report.check('%s: refused' % method, got and got[1]['failure'], got and got[1])
            replies += str(got and got[1])
        self.search('replies', replies, 'failure')
        for text in ('{"oslo.version": "2.0", "oslo.message": "{%s"}' % self.known['token'],
                     body.replace(r'\"_context_auth_token\"', r'_context_auth_token')):
            self.publish_raw(text)
        self.world.until('broken messages are told', lambda: 'more like this are only counted' in self.world.log(), 20)

    def publish_raw(self, text):
        """No message at all."""
        self.world.broker.channel.basic_publish(
            amqp.Message(text, content_type='application/json', content_encoding='utf-8'), 'nova',
            'compute.' + self.world.host)

    def services_fail(self):
        """The tokens are no longer good, and placement has other troubles."""
        for status in (403, 500):
            self.world.cloud.order('placement', 'PUT', '.', status=status, times=3)
        self.world.cloud.tokens.clear()
        body = self.seeded(captured.body('set_host_enabled.json'), 50)
        self.world.broker.call(body, 30)

    def reload(self):
        """What changed is told, and waits for a restart."""
        for name in self.world.wrong:
            self.world.wrong[name] = self.know('reloaded ' + name)
        self.world.use_wrong = set(self.world.wrong)
        self.world.write_conf()
        self.world.process.send_signal(signal.SIGHUP)
        self.world.until('the configuration is read again', lambda: 'configuration read again' in self.world.log(), 30)
        self.search('reload: log', self.world.log(), 'reload: ')

    def crash(self):
        self.world.process.send_signal(signal.SIGSEGV)
        self.world.process.wait(60)
        self.search('last words', self.world.log())

    def all(self):
        self.mistakes()
        self.dumped()
        self.refused()
        self.world.use_wrong.clear()
        self.world.write_conf()
        self.dumped()
        self.replay.adopt_host()
        uuid, _ = self.boot()
        self.calls(uuid)
        self.services_fail()
        self.look_everywhere('serving')
        self.rows('serving')
        self.files('serving')
        self.report.check('a config drive was made', self.world.config_drives == 1)
        self.reload()
        self.crash()


def main():
    agent, ctl = sys.argv[1:3]
    report = Report()
    Orphans().start()
    world = SecretWorld(agent, ctl, captured.load('life.json')['host'], captured.traits())
    with report.to_the_end_of(world):
        Secrets(world, report).all()


if __name__ == '__main__':
    main()
