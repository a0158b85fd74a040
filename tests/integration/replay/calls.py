"""Calls on the host and on one guest that runs, and a build that fails: what belongs to no single life."""
import json
import re

import captured
import differences
from rows import compare, settled, shape

BORN = 'a14cc8ca-2568-44fe-8878-257bd1a1988d'  # whose birth was recorded without network
TIME = re.compile(r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d')


class Calls:
    def __init__(self, replay):
        self.replay, self.world, self.report = replay, replay.world, replay.report
        self.recorded = captured.load('calls.json')
        self.uuid = self.recorded['instance']

    def all(self):
        self.give_birth()
        self.uptime()
        self.console_output()
        self.service_toggle()
        self.diagnostics()
        self.vnc_console()
        self.crash_dump()
        self.external_event()
        self.failed_build()

    def give_birth(self):
        """The calls were recorded for another instance, whose birth needed a network: this one is born without."""
        boot = next(s for s in self.replay.life['steps'] if s['name'] == 'boot')
        body = self.another(captured.body(boot['message']))
        # The same id a second time would be taken for the first message once more.
        unique = captured.message(body)['_unique_id']
        body = body.replace(unique, unique[::-1])
        step = json.loads(self.another(json.dumps({**boot, 'name': 'boot_again'})))
        step['before'] = renumbered(step['before'])
        step['after'] = renumbered(step['after'])
        self.replay.state = {}
        self.replay.run(step, self.uuid, body)

    def another(self, text):
        return text.replace(BORN, self.uuid)

    # ---- calls ----

    def call(self, name, body, wanted):
        """One call; wanted is compared with the result by shape, or None: only its envelope is looked at."""
        got = self.world.broker.call(self.replay.node.in_body(body))
        if not self.report.check('%s: there is a reply' % name, got is not None):
            return None
        message, reply = got
        request = captured.message(body)
        keys = {'result', 'failure', 'ending', '_msg_id', '_unique_id'}
        self.report.check('%s: the keys of the reply' % name, set(reply) == keys, reply)
        self.report.check('%s: its envelope' % name, reply['_msg_id'] == request['_msg_id'] and reply['ending'] is True
                          and re.fullmatch('[0-9a-f]{32}', reply['_unique_id']), reply)
        properties = {k: message.properties.get(k) for k in ('content_type', 'content_encoding', 'delivery_mode',
                                                            'priority')}
        self.report.check('%s: its properties' % name, properties == {
            'content_type': 'application/json', 'content_encoding': 'utf-8', 'delivery_mode': 2, 'priority': 0},
            properties)
        self.report.check('%s: it succeeded' % name, reply['failure'] is None, reply['failure'])
        if wanted is not None:
            self.report.check('%s: the result' % name, shape(settled(reply['result'])) == shape(settled(wanted)),
                              'nova-compute answered %s' % json.dumps(wanted), 'the agent %s' % json.dumps(reply))
        return reply['result']

    def uptime(self):
        result = self.call('get_host_uptime', captured.body('get_host_uptime.json'),
                           captured.reply('get_host_uptime')['result'])
        pattern = r' \d\d:\d\d:\d\d up .* user.*,  load average: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d\n'
        self.report.check('get_host_uptime: as uptime prints it', re.fullmatch(pattern, result or ''), repr(result))

    def console_output(self):
        """Of the guest that was born again; nova-api's own request with its uuid instead."""
        body = self.another(captured.body('get_console_output.json'))
        self.world.until('the guest is up', lambda: 'GUEST up' in self.world.console(self.uuid), 60)
        result = self.call('get_console_output', body, captured.reply('get_console_output')['result'])
        self.report.check('get_console_output: what the guest wrote', 'COMPUTE-AGENT GUEST up\r\n' in (result or ''),
                          repr(result))

    def service_toggle(self):
        provider = self.world.cloud.placement.providers[self.replay.life['compute_nodes']['uuid']]
        for name, result in (('set_host_enabled', 'disabled'), ('set_host_enabled_again', 'enabled')):
            before = set(provider['traits'])
            # nova-api writes the row first.
            self.world.cell.query('UPDATE services SET disabled = %s', (result == 'disabled',))
            got = self.call(name, captured.body(name + '.json'), result)
            self.report.check('%s: the result is "%s"' % (name, result), got == result, got)
            changed = {'COMPUTE_STATUS_DISABLED'}
            wanted = before | changed if result == 'disabled' else before - changed
            self.report.check('%s: the trait of the provider' % name, provider['traits'] == wanted,
                              sorted(provider['traits'] ^ wanted))

    def diagnostics(self):
        wanted = captured.reply('get_instance_diagnostics')['result']
        data = wanted['nova_object.data']
        data['nic_details'] = []  # the recorded guest had one
        data['num_nics'] = 0
        self.call('get_instance_diagnostics', captured.body('get_instance_diagnostics.json'), wanted)

    def vnc_console(self):
        since = self.replay.now()
        result = self.call('get_vnc_console', captured.body('get_vnc_console.json'),
                           captured.reply('get_vnc_console')['result'])
        if result is None:
            return
        got = self.world.cell.read(['console_auth_tokens'])
        token = dict(self.recorded['console_auth_tokens'])
        for row in got['console_auth_tokens']:  # of this moment
            token.update(token_hash=row['token_hash'], expires=row['expires'], port=row['port'])
        self.report.same('get_vnc_console: the row of the token',
                         compare({}, {'console_auth_tokens': {'1': token}}, got, since), differences.ROWS, 'vnc_console')
        self.world.cell.query('DELETE FROM console_auth_tokens')

    def crash_dump(self):
        """A cast that has its own action. The guest does not mind: it has no handler for the interrupt."""
        self.replay.run(self.recorded['trigger_crash_dump'], self.uuid)

    def external_event(self):
        """No one waits for it: it is taken, and changes no row."""
        before = {t: {n: r for n, r in enumerate(rows)} for t, rows in self.world.cell.read().items()}
        self.world.broker.publish(captured.body('external_instance_event.json'))
        event = captured.message(captured.body('external_instance_event.json'))['args']['events'][0]['nova_object.data']
        said = '%s of %s' % (event['name'], event['tag'])
        self.world.until('external_instance_event is taken', lambda: said in self.world.log(), 60)
        self.report.same('external_instance_event: rows',
                         compare(before, before, self.world.cell.read(), self.replay.now()), differences.ROWS,
                         'external_instance_event')

    # ---- a build that fails ----

    def failed_build(self):
        """The image wants a machine type that there is not: the next host is asked for."""
        recorded = captured.load('boot_fail.step.json')
        self.replay.put_image('boot_fail.json')
        self.replay.run(recorded['steps'][0], recorded['instance'])
        got = self.world.broker.take('conductor', lambda m: m['method'] == 'build_instances', 60)
        if not self.report.check('boot_fail: conductor is asked for another host', got is not None):
            return
        wanted = captured.message(self.replay.node.in_body(captured.body('boot_fail.cast.json')))
        self.report.same('boot_fail: what conductor is told',
                         compare_json(of_any_moment(settled(wanted)), of_any_moment(settled(got[1])), 'cast'),
                         differences.CASTS, 'boot_fail')


def renumbered(changes):
    """The instance born again is 5, not 4; each other row keeps its number, for the first is gone."""
    return {t: {('5' if i == '4' and t in ('instances', 'instance_id_mappings') else i):
                {**row, 'id': 5} if row and row.get('id') == 4 and t in ('instances', 'instance_id_mappings') else row
                for i, row in rows.items()} for t, rows in changes.items()}


def of_any_moment(value, key=None):
    if isinstance(value, dict):
        return {k: of_any_moment(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return ['lines'] if key == 'exc' and value else [of_any_moment(v) for v in value]
    if isinstance(value, str) and (key in ('exc_reason', '_unique_id') or
                                   (key in ('updated_at', 'created_at') and TIME.match(value))):
        return 'text'
    return value


def compare_json(wanted, got, at):
    if isinstance(wanted, dict) and isinstance(got, dict):
        for k in sorted(wanted.keys() | got.keys()):
            if k not in got or k not in wanted:
                yield '%s.%s: only %s has it' % (at, k, 'nova-compute' if k in wanted else 'the agent')
            else:
                yield from compare_json(wanted[k], got[k], '%s.%s' % (at, k))
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for n, (a, b) in enumerate(zip(wanted, got)):
            yield from compare_json(a, b, '%s[%d]' % (at, n))
    elif wanted != got:
        yield '%s: nova-compute said %s, the agent %s' % (at, json.dumps(wanted), json.dumps(got))
