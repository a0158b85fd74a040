"""The control plane's side of RabbitMQ: what nova-api publishes and waits for, and the queue that conductor reads."""
import json
import socket
import time

import amqp

from captured import message

TTL = 1800000


class Broker:
    def __init__(self, env, host):
        self.host = host
        self.connection = amqp.Connection('127.0.0.1:%s' % env['RABBITMQ_PORT'], userid=env['RABBITMQ_USER'],
                                          password=env['RABBITMQ_PASSWORD'], confirm_publish=True)
        self.connection.connect()
        self.channel = self.connection.channel()
        self.arrived = {}  # queue -> messages
        self.channel.exchange_declare('nova', 'topic', durable=False, auto_delete=False)
        self.channel.queue_declare('conductor', durable=False, auto_delete=False)
        self.channel.queue_bind('conductor', 'nova', 'conductor')
        self.read_queue('conductor')

    def close(self):
        self.connection.close()

    def read_queue(self, name):
        self.arrived[name] = []
        self.channel.basic_consume(name, no_ack=True, callback=self.arrived[name].append)

    def publish(self, body):
        """As it was recorded: the same bytes, properties and queue for the reply."""
        request = message(body)
        properties = {'content_type': 'application/json', 'content_encoding': 'utf-8', 'delivery_mode': 2,
                      'priority': 0, 'application_headers': {}}
        queue = request.get('_reply_q')
        if queue:
            properties['expiration'] = '60000'
            if queue not in self.arrived:
                self.channel.queue_declare(queue, durable=False, auto_delete=False, arguments={'x-expires': TTL})
                self.read_queue(queue)
        self.channel.basic_publish(amqp.Message(body, **properties), 'nova', 'compute.' + self.host)
        return request

    def take(self, queue, wanted, seconds):
        """The next message of a queue for which wanted() is true; None when it does not come in time."""
        by = time.monotonic() + seconds
        while True:
            for m in self.arrived[queue]:
                inner = json.loads(json.loads(m.body)['oslo.message'])
                if wanted(inner):
                    self.arrived[queue].remove(m)
                    return m, inner
            left = by - time.monotonic()
            if left <= 0:
                return None
            try:
                self.connection.drain_events(timeout=min(left, 1))
            except socket.timeout:
                pass

    def call(self, body, seconds=60):
        request = self.publish(body)
        return self.take(request['_reply_q'], lambda m: m['_msg_id'] == request['_msg_id'] and m['ending'], seconds)
