"""Calls of a compute service's RPC methods, as raw AMQP with the envelope written by hand: a client that costs less than
what it measures."""
import json
import socket
import time
import uuid

import amqp

from cloud import ENV, HOST

TTL = 1800000


def _context():
    return {'_context_user_id': None, '_context_project_id': None, '_context_is_admin': True,
            '_context_read_deleted': 'no', '_context_roles': ['admin'], '_context_auth_token': None,
            '_context_request_id': 'req-%s' % uuid.uuid4(), '_context_service_catalog': [],
            '_context_timestamp': '2026-01-01T00:00:00.000000', '_context_remote_address': None}


class Caller:
    def __init__(self):
        self.connection = amqp.Connection('127.0.0.1:' + ENV['RABBITMQ_PORT'], userid=ENV['RABBITMQ_USER'],
                                          password=ENV['RABBITMQ_PASSWORD'])
        self.connection.connect()
        self.channel = self.connection.channel()
        self.queue = 'reply_' + uuid.uuid4().hex
        self.channel.queue_declare(self.queue, durable=False, auto_delete=False, arguments={'x-expires': TTL})
        self.channel.basic_consume(self.queue, no_ack=True, callback=self._answered)
        self.sent = {}  # message id -> when
        self.seconds = []

    def close(self):
        self.connection.close()

    def _answered(self, message):
        inner = json.loads(json.loads(message.body)['oslo.message'])
        if not inner['ending']:
            return
        if inner['failure']:
            raise RuntimeError(inner['failure'])
        self.seconds.append(time.perf_counter() - self.sent.pop(inner['_msg_id']))

    def _send(self, method, version, namespace, args):
        message = dict(_context(), method=method, args=args, version=version, _unique_id=uuid.uuid4().hex,
                       _msg_id=uuid.uuid4().hex, _reply_q=self.queue, _timeout=None)
        if namespace:
            message['namespace'] = namespace
        body = json.dumps({'oslo.version': '2.0', 'oslo.message': json.dumps(message)})
        self.sent[message['_msg_id']] = time.perf_counter()
        self.channel.basic_publish(
            amqp.Message(body, content_type='application/json', content_encoding='utf-8', delivery_mode=2,
                         priority=0, application_headers={}, expiration='60000'), 'nova', 'compute.' + HOST)

    def _wait(self, most):
        while len(self.sent) > most:
            try:
                self.connection.drain_events(timeout=60)
            except socket.timeout:
                raise TimeoutError('%d calls were not answered' % len(self.sent))

    def calls(self, n, in_flight, method, version='6.0', namespace=None, args=None):
        """The seconds each took, sorted; and those of all together."""
        self.seconds = []
        began = time.perf_counter()
        for _ in range(n):
            self._send(method, version, namespace, args or {})
            self._wait(in_flight - 1)
        self._wait(0)
        return sorted(self.seconds), time.perf_counter() - began
