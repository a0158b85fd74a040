"""placement and keystone that fail while the agent needs them: what it says, what it leaves, how it goes on."""
import captured


class Faults:
    """With the guest of calls.py, which is deleted at the end."""

    def __init__(self, replay):
        self.replay, self.world, self.report = replay, replay.world, replay.report
        self.cloud = self.world.cloud
        self.node = replay.life['compute_nodes']['uuid']
        self.n = 0

    def all(self):
        self.expired_token()
        self.generation_conflict()
        self.out_of_order()
        self.delete_without_placement()

    def toggle(self, enabled):
        """set_host_enabled, each time as a request of its own."""
        self.n += 1
        body = captured.body('set_host_enabled_again.json' if enabled else 'set_host_enabled.json')
        request = captured.message(body)
        for key in ('_unique_id', '_msg_id'):
            body = body.replace(request[key], '%032x' % (self.n * 2 + (key == '_msg_id')))
        self.world.cell.query('UPDATE services SET disabled = %s', (not enabled,))
        self.cloud.seen('keystone')
        self.cloud.seen()
        got = self.world.broker.call(body)
        return got and got[1]

    def is_disabled(self):
        return 'COMPUTE_STATUS_DISABLED' in self.cloud.placement.providers[self.node]['traits']

    def expired_token(self):
        """All tokens are forgotten: placement answers 401, the agent fetches another one and asks again, once."""
        self.cloud.tokens.clear()
        reply = self.toggle(False)
        self.report.check('401: the call succeeds', reply and reply['result'] == 'disabled', reply)
        self.report.check('401: one new token', [r['status'] for r in self.cloud.seen('keystone')] == [201])
        self.report.check('401: placement has the trait', self.is_disabled())

    def generation_conflict(self):
        """Somebody else changed the provider: what is there is read again, and written again."""
        self.cloud.order('placement', 'PUT', '/traits$', status=409, body={'errors': [{
            'status': 409, 'title': 'Conflict', 'detail': 'resource provider generation conflict',
            'code': 'placement.concurrent_update'}]})
        reply = self.toggle(True)
        self.report.check('409: the call succeeds', reply and reply['result'] == 'enabled', reply)
        asked = [(r['method'], r['status']) for r in self.cloud.seen() if r['path'].endswith('/traits')
                 and r['path'] != '/traits']
        self.report.check('409: it is read and written again', asked == [
            ('GET', 200), ('PUT', 409), ('GET', 200), ('PUT', 200)] or asked == [
            ('PUT', 409), ('GET', 200), ('PUT', 200)], asked)
        self.report.check('409: placement has lost the trait', not self.is_disabled())

    def out_of_order(self):
        """The API does not care whether placement could be told: the call succeeds, and the log tells why not."""
        for what, fault in (('429', {'status': 429, 'headers': {'Retry-After': '1'}}), ('500', {'status': 500}),
                            ('a cut connection', {'cut': True}), ('a body that is no JSON', {
                                'status': 200, 'body': b'<html>'})):
            self.cloud.order('placement', 'GET', '/traits$', times=100, **fault)
            before = len(self.world.log())
            reply = self.toggle(False)
            self.report.check('%s: the call succeeds' % what, reply and reply['result'] == 'disabled', reply)
            self.world.until('%s: the log tells it' % what, lambda: (  # a thread of its own writes the log
                'COMPUTE_STATUS_DISABLED could not be added' in self.world.log()[before:]), 20)
            self.report.check('%s: placement was not told' % what, not self.is_disabled())
            self.cloud.faults.clear()
        self.cloud.order('placement', 'GET', '/traits$', delay=2)
        reply = self.toggle(False)
        self.report.check('a slow placement: the call succeeds', reply and reply['result'] == 'disabled', reply)
        self.report.check('a slow placement: it has the trait', self.is_disabled())

    def delete_without_placement(self):
        """The allocations cannot be removed: the row stays, marked as deleted, for the next start to finish."""
        uuid = captured.load('calls.json')['instance']
        life = self.replay.life
        delete = next(s for s in life['steps'] if s['name'] == 'delete')
        body = self.replay.node.in_body(captured.body(delete['message']).replace(life['instance'], uuid))
        unique = captured.message(body)['_unique_id']
        body = body.replace(unique, unique[::-1])
        action = dict(next(iter(delete['before']['instance_actions'].values())), instance_uuid=uuid)
        self.world.cell.insert('instance_actions', action)
        self.world.cell.query("UPDATE instances SET task_state = 'deleting' WHERE uuid = %s", (uuid,))
        self.cloud.order('placement', 'DELETE', '/allocations/' + uuid, status=500, times=100)
        self.world.broker.publish(body)
        self.world.until('the event of the delete is finished', lambda: self.event(action), 60)
        row = self.row(uuid)
        self.report.check('500 while deleting: the row waits', row['vm_state'] == 'deleted' and row['deleted'] == 0, row)
        self.report.check('500 while deleting: its task is NULL', row['task_state'] is None, row)
        self.report.check('500 while deleting: the event failed', self.event(action)[0]['result'] == 'Error')
        self.cloud.faults.clear()
        self.world.stop_agent()
        self.world.start_agent()
        self.world.until('the next start finishes it', lambda: self.row(uuid)['deleted'], 60)
        self.report.check('after the next start: no allocation is left',
                          uuid not in self.cloud.placement.allocations, self.cloud.placement.allocations)

    def row(self, uuid):
        return self.world.cell.query('SELECT vm_state, task_state, deleted FROM instances WHERE uuid = %s', (uuid,))[0]

    def event(self, action):
        return self.world.cell.query('SELECT result FROM instance_actions_events WHERE action_id = %s AND '
                                     'finish_time IS NOT NULL', (action['id'],))
