"""echo_clients.py PORT: many connections at once, one of them silent, to the echo server of lib/README.md."""
import socket
import sys
import time

address = ('127.0.0.1', int(sys.argv[1]))


def connect():
    for _ in range(500):
        try:
            return socket.create_connection(address, timeout=20)
        except ConnectionRefusedError:
            time.sleep(0.02)
    sys.exit('nobody listens')


def received(sock, size):
    data = b''
    while len(data) < size:
        part = sock.recv(size - len(data))
        assert part, 'the server hung up'
        data += part
    return data


silent = connect()
clients = [connect() for _ in range(50)]
for i, client in enumerate(clients):
    client.sendall(b'hello from %d ' % i * 1000)
for i, client in reversed(list(enumerate(clients))):
    text = b'hello from %d ' % i * 1000
    assert received(client, len(text)) == text
    client.close()
silent.sendall(b'at last')
assert received(silent, 7) == b'at last'
print('echo: 51 connections at once')
