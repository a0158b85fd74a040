"""What was recorded of nova-compute: message bodies of tests/data/amqp, rows and requests of tests/data/replay."""
import json
import os

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'data')


def load(name):
    with open(os.path.join(DATA, 'replay', name), encoding='utf-8') as f:
        return json.load(f)


def body(name):
    """The bytes that were on the wire; bodies used here only are beside the rows."""
    for folder in ('replay', 'amqp'):
        path = os.path.join(DATA, folder, name)
        if os.path.exists(path):
            with open(path, encoding='utf-8') as f:
                return f.read().rstrip('\n')
    raise FileNotFoundError(name)


def message(body_):
    return json.loads(json.loads(body_)['oslo.message'])


def reply(method):
    return message(body(method + '.reply.json'))


def traits():
    """That placement knows: those the host reported, and the one of a disabled service."""
    put_ = next(r for r in load('first_start.json')['placement']
                if r['method'] == 'PUT' and r['path'].endswith('/traits'))
    return [*put_['body']['traits'], 'COMPUTE_STATUS_DISABLED']


class Node:
    """The recorded node's name was "vm"; where the test runs the hypervisor says another one."""

    def __init__(self, recorded, here):
        self.recorded, self.here = recorded, here

    def in_body(self, text):
        return text.replace(r'\"%s\"' % self.recorded, r'\"%s\"' % self.here)

    def in_value(self, value):
        return self.here if value == self.recorded else value


def put(state, changes):
    """Applies {table: {id: {column: value} or None}} to {table: {id: row}}; rows are copied, not shared."""
    new = {table: {i: dict(row) for i, row in rows.items()} for table, rows in state.items()}
    for table, rows in changes.items():
        mine = new.setdefault(table, {})
        for i, row in rows.items():
            if row is None:
                del mine[i]
            else:
                mine[i] = {**mine.get(i, {}), **row}
    return new
