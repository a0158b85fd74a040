"""
keystone, placement and glance for one test, on one port of loopback: small, but strict.

They keep state as the real ones do (providers with generations, allocations with consumer generations, images),
note each request, and check it: a token, a microversion where one is needed, a body of the right shape. What a
real service would refuse is refused; what no client should ever send is noted in `mistakes`, too. A test can order
faults: the next request that matches gets 401, 409, 429, 500, a delay, a cut connection, or a wrong body.
"""
import json
import re
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Refused(Exception):
    def __init__(self, status, text, code=None):
        super().__init__(text)
        self.status, self.code = status, code


class Fault:
    """One order: the next `times` requests of this method whose path matches get `status`, after `delay` seconds."""

    def __init__(self, service, method, path, status=None, delay=0, cut=False, body=None, headers=None, times=1):
        self.service, self.method, self.path = service, method, re.compile(path)
        self.status, self.delay, self.cut, self.body = status, delay, cut, body
        self.headers, self.times = headers or {}, times

    def meets(self, service, method, path):
        return (self.times > 0 and self.service == service and self.method == method
                and self.path.search(path) is not None)


class Placement:
    MICROVERSION = re.compile(r'^placement (1\.\d+)$')

    def __init__(self, traits):
        self.known_traits = set(traits)
        self.providers = {}    # uuid -> dict(uuid, name, generation, inventories, traits)
        self.allocations = {}  # consumer -> dict(allocations, consumer_generation, project_id, user_id)

    def claim(self, consumer, provider, resources, project_id, user_id):
        """What the scheduler does before a build."""
        self.allocations[consumer] = {'allocations': {provider: {'resources': resources}}, 'consumer_generation': 1,
                                      'project_id': project_id, 'user_id': user_id}
        self.providers[provider]['generation'] += 1

    def add_provider(self, id_, name, inventories=None, traits=()):
        self.providers[id_] = {'uuid': id_, 'name': name, 'generation': 0, 'inventories': inventories or {},
                               'traits': set(traits)}
        return self.providers[id_]

    def provider(self, id_):
        if id_ not in self.providers:
            raise Refused(404, 'No resource provider with uuid %s found' % id_)
        return self.providers[id_]

    def bump(self, provider, body):
        if body.get('resource_provider_generation') != provider['generation']:
            raise Refused(409, 'resource provider generation conflict', 'placement.concurrent_update')
        provider['generation'] += 1

    @staticmethod
    def shown(p):
        return {'uuid': p['uuid'], 'name': p['name'], 'generation': p['generation'], 'links': [],
                'parent_provider_uuid': None, 'root_provider_uuid': p['uuid']}

    def put_inventories(self, p, body):
        keys(body, {'resource_provider_generation', 'inventories'})
        used = {c for a in self.allocations.values()
                for c in a['allocations'].get(p['uuid'], {'resources': {}})['resources']}
        for name, inventory in body['inventories'].items():
            keys(inventory, {'total', 'min_unit', 'max_unit', 'step_size', 'allocation_ratio', 'reserved'})
            if inventory['total'] < 1 or inventory['reserved'] > inventory['total']:
                raise Refused(400, 'Invalid inventory for %s' % name)
        self.bump(p, body)
        if used - set(body['inventories']):
            raise Refused(409, 'update conflict: Inventory in use', 'placement.inventory.inuse')
        p['inventories'] = body['inventories']
        return 200, {'resource_provider_generation': p['generation'], 'inventories': p['inventories']}

    def put_traits(self, p, body):
        keys(body, {'resource_provider_generation', 'traits'})
        unknown = set(body['traits']) - self.known_traits
        if unknown:
            raise Refused(400, 'No such trait(s): %s.' % ', '.join(sorted(unknown)))
        self.bump(p, body)
        p['traits'] = set(body['traits'])
        return 200, {'resource_provider_generation': p['generation'], 'traits': sorted(p['traits'])}

    def put_allocation(self, consumer, body):
        keys(body, {'allocations', 'consumer_generation', 'project_id', 'user_id'})
        have = self.allocations.get(consumer)
        if body['consumer_generation'] != (have['consumer_generation'] if have else None):
            raise Refused(409, 'consumer generation conflict', 'placement.concurrent_update')
        if body['allocations']:
            raise Refused(400, 'compute services invent no allocations')
        self.allocations.pop(consumer, None)
        return 204, None

    def answer(self, method, path, query, microversion, body):
        parts = path.strip('/').split('/')
        if path == '/':
            return 200, {'versions': [{'id': 'v1.0', 'max_version': '1.39', 'min_version': '1.0',
                                       'status': 'CURRENT', 'links': []}]}
        if parts == ['resource_providers'] and method == 'GET':
            wanted = query['in_tree'][0]
            return 200, {'resource_providers': [self.shown(p) for p in self.providers.values()
                                                if p['uuid'] == wanted]}
        if parts == ['resource_providers'] and method == 'POST':
            keys(body, {'uuid', 'name'})
            if any(p['name'] == body['name'] for p in self.providers.values()):
                raise Refused(409, 'Conflicting resource provider name: %s already exists.' % body['name'],
                              'placement.duplicate_name')
            return 200, self.shown(self.add_provider(body['uuid'], body['name']))
        if parts[0] == 'resource_providers' and len(parts) == 3:
            return self.of_provider(method, self.provider(parts[1]), parts[2], body)
        if parts[0] == 'resource_providers' and len(parts) == 2 and method == 'GET':
            return 200, self.shown(self.provider(parts[1]))
        if parts == ['traits'] and method == 'GET':
            names = query['name'][0].removeprefix('in:').split(',')
            return 200, {'traits': sorted(self.known_traits & set(names))}
        if parts[0] == 'allocations' and len(parts) == 2:
            return self.of_consumer(method, parts[1], body)
        raise Refused(404, 'nothing at %s %s' % (method, path))

    def of_provider(self, method, p, what, body):
        generation = {'resource_provider_generation': p['generation']}
        if method == 'GET' and what == 'inventories':
            return 200, dict(generation, inventories=p['inventories'])
        if method == 'GET' and what == 'aggregates':
            return 200, dict(generation, aggregates=[])
        if method == 'GET' and what == 'traits':
            return 200, dict(generation, traits=sorted(p['traits']))
        if method == 'GET' and what == 'allocations':
            return 200, dict(generation, allocations={
                c: {'resources': a['allocations'][p['uuid']]['resources']}
                for c, a in self.allocations.items() if p['uuid'] in a['allocations']})
        if method == 'PUT' and what == 'inventories':
            return self.put_inventories(p, body)
        if method == 'PUT' and what == 'traits':
            return self.put_traits(p, body)
        raise Refused(405, '%s is not for %s' % (method, what))

    def of_consumer(self, method, consumer, body):
        have = self.allocations.get(consumer)
        if method == 'GET':
            return 200, have or {'allocations': {}}
        if method == 'PUT':
            return self.put_allocation(consumer, body)
        if method == 'DELETE':
            if not have:
                raise Refused(404, 'No allocations for consumer %s' % consumer)
            del self.allocations[consumer]
            return 204, None
        raise Refused(405, '%s is not for allocations' % method)


class Glance:
    def __init__(self):
        self.images = {}  # id -> (what /v2/images/{id} tells, its bytes)

    def answer(self, method, path, _query, _microversion, _body):
        parts = path.strip('/').split('/')
        if method != 'GET' or parts[:2] != ['v2', 'images'] or len(parts) not in (3, 4):
            raise Refused(404, 'nothing at %s %s' % (method, path))
        if parts[2] not in self.images:
            raise Refused(404, 'No image found with ID %s' % parts[2])
        shown, data = self.images[parts[2]]
        return 200, data if len(parts) == 4 else shown


def keys(value, wanted):
    """As the JSON schemas of the real ones: these keys and no others."""
    if not isinstance(value, dict) or set(value) != wanted:
        got = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise Refused(400, 'JSON does not validate: wanted %s, got %s' % (sorted(wanted), got))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients may leave when they like; anything else is a mistake of this file."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class CloudServices:
    """Everything on http://127.0.0.1:port: keystone at /identity, placement at /placement, glance at /image."""

    def __init__(self, traits, user='nova', password='not-a-secret'):
        self.user, self.password = user, password
        self.placement, self.glance = Placement(traits), Glance()
        self.tokens, self.faults, self.requests, self.mistakes = set(), [], [], []
        self.lock = threading.Lock()
        self.last = time.monotonic()  # when a request came or was answered
        services = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def handle_any(self):
                services.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

            def log_message(self, *_args):
                pass

        self.server = Server(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        self.url = 'http://127.0.0.1:%d' % self.port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def order(self, *args, **kwargs):
        fault = Fault(*args, **kwargs)
        with self.lock:
            self.faults.append(fault)
        return fault

    def seen(self, service='placement'):
        """The requests so far, in the form of the captures, and a clean sheet."""
        with self.lock:
            mine = [r for r in self.requests if r['service'] == service]
            self.requests = [r for r in self.requests if r['service'] != service]
        return [{k: v for k, v in r.items() if k != 'service'} for r in mine]

    def quiet(self):
        """Nobody has asked anything for a while: work that a client does in the background has ended."""
        return time.monotonic() - self.last > 1

    # ---- one request ----

    def handle(self, handler):
        url = urlsplit(handler.path)
        prefix, _, rest = url.path.lstrip('/').partition('/')
        service = {'identity': 'keystone', 'placement': 'placement', 'image': 'glance'}.get(prefix, 'nobody')
        path, method = '/' + rest, handler.command
        self.last = time.monotonic()
        raw = handler.rfile.read(int(handler.headers.get('Content-Length') or 0))
        with self.lock:
            fault = next((f for f in self.faults if f.meets(service, method, path)), None)
            if fault:
                fault.times -= 1
        if fault:
            time.sleep(fault.delay)
            if fault.cut:
                handler.close_connection = True
                handler.connection.close()
                return
        note = {'service': service, 'method': method, 'path': path}
        if url.query:
            note['query'] = url.query
        with self.lock:
            status, body, headers = self.decide(service, method, path, url.query, handler.headers, raw, note, fault)
            note['status'] = status
            self.requests.append(note)
        self.send(handler, status, body, headers)
        self.last = time.monotonic()

    def decide(self, service, method, path, query, headers, raw, note, fault):
        try:
            body = self.parse(method, headers, raw, note)
            if service != 'keystone':
                self.check_token(headers)
            if fault and fault.status:
                return fault.status, fault.body if fault.body is not None else failure(fault.status, 'ordered'), \
                    fault.headers
            if service == 'keystone':
                return self.keystone(method, path, body)
            if service == 'placement':
                return (*self.placement.answer(method, path, parse_qs(query), self.microversion(headers, note),
                                               body), {})
            if service == 'glance':
                return (*self.glance.answer(method, path, {}, None, body), {})
            raise Refused(404, 'no service at %s' % path)
        except Refused as e:
            if e.status == 400:
                self.mistakes.append('%s %s %s: %s' % (service, method, path, e))
            return e.status, failure(e.status, str(e), e.code), {}

    @staticmethod
    def parse(method, headers, raw, note):
        if not raw:
            if method in ('PUT', 'POST'):
                raise Refused(400, 'a body is missing')
            return None
        if headers.get('Content-Type', '').split(';')[0] != 'application/json':
            raise Refused(400, 'Content-Type is %s' % headers.get('Content-Type'))
        try:
            note['body'] = json.loads(raw)
        except ValueError as e:
            raise Refused(400, 'not JSON: %s' % e) from None
        return note['body']

    def check_token(self, headers):
        if headers.get('X-Auth-Token') not in self.tokens:
            raise Refused(401, 'The request you have made requires authentication.')

    def microversion(self, headers, note):
        header = headers.get('OpenStack-API-Version')
        if header is None:
            return None
        match = Placement.MICROVERSION.match(header)
        if not match:
            raise Refused(400, 'OpenStack-API-Version: %s' % header)
        note['microversion'] = match[1]
        return match[1]

    def keystone(self, method, path, body):
        if method != 'POST' or path != '/v3/auth/tokens':
            raise Refused(404, 'nothing at %s %s' % (method, path))
        try:
            identity = body['auth']['identity']
            user = identity['password']['user']
            project = body['auth']['scope']['project']['name']
            good = identity['methods'] == ['password'] and project
        except (KeyError, TypeError):
            raise Refused(400, 'auth has not the shape of a password with a project') from None
        if not good or user.get('name') != self.user or user.get('password') != self.password:
            raise Refused(401, 'The request you have made requires authentication.')
        token = uuid.uuid4().hex
        self.tokens.add(token)
        expires = time.strftime('%Y-%m-%dT%H:%M:%S.000000Z', time.gmtime(time.time() + 3600))
        catalog = [{'type': kind, 'name': kind, 'id': kind, 'endpoints': [
            {'interface': face, 'region': 'RegionOne', 'region_id': 'RegionOne', 'id': face, 'url': self.url + at}
            for face in ('internal', 'public')]} for kind, at in (('placement', '/placement'), ('image', '/image'))]
        return 201, {'token': {'methods': ['password'], 'expires_at': expires, 'catalog': catalog}}, \
            {'X-Subject-Token': token}

    @staticmethod
    def send(handler, status, body, headers):
        data = body if isinstance(body, bytes) else b'' if body is None else json.dumps(body).encode()
        kind = 'application/octet-stream' if isinstance(body, bytes) else 'application/json'
        try:
            handler.send_response(status)
            if status != 204:
                handler.send_header('Content-Type', kind)
                handler.send_header('Content-Length', str(len(data)))
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            handler.close_connection = True  # who asked did not wait for it


def failure(status, text, code=None):
    return {'errors': [{'status': status, 'title': 'refused', 'detail': text,
                        'code': code or 'placement.undefined_code'}]}
