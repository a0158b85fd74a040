"""
Requests to placement: the recorded sequence beside the agent's. Sizes and CPU features of the machine are not
compared, nor the order within a list of traits, nor generations, which count what everybody did.
"""
import json

HOST_TRAITS = ('HW_CPU_', 'COMPUTE_STORAGE_BUS_', 'COMPUTE_GRAPHICS_MODEL_', 'COMPUTE_NET_VIF_MODEL_',
               'COMPUTE_VIOMMU_MODEL_')


class Line:
    def __init__(self, side, text):
        self.side, self.text = side, text

    def __str__(self):
        return '%s %s' % ({'nova-compute': 'only nova-compute:', 'agent': 'only the agent:'}[self.side], self.text)


def shape(inventory):
    return sorted(inventory), inventory['min_unit'], inventory['step_size'], inventory['allocation_ratio']


def normal(request, renamed):
    path = request['path']
    for recorded, here in renamed.items():
        path = path.replace(here, recorded)
    text = '%s %s' % (request['method'], path)
    if request.get('microversion'):
        text += ' (%s)' % request['microversion']
    body = request.get('body')
    if body is None:
        return text
    body = {k: v for k, v in body.items() if k != 'resource_provider_generation'}
    if 'traits' in body:
        body['traits'] = sorted(t for t in body['traits'] if not t.startswith(HOST_TRAITS))
    if 'inventories' in body:
        body['inventories'] = {k: shape(v) for k, v in sorted(body['inventories'].items())}
    for recorded, here in renamed.items():
        body = {k: recorded if v == here else v for k, v in body.items()}
    return text + ' ' + json.dumps(body, sort_keys=True)


def compare(wanted, got, renamed):
    """By longest common subsequence, so that one request more is one difference."""
    a, b = [normal(r, renamed) for r in wanted], [normal(r, renamed) for r in got]
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            longest[i][j] = (longest[i + 1][j + 1] + 1 if a[i] == b[j]
                             else max(longest[i + 1][j], longest[i][j + 1]))
    i = j = 0
    while i < len(a) or j < len(b):
        if i < len(a) and j < len(b) and a[i] == b[j]:
            i, j = i + 1, j + 1
        elif j == len(b) or (i < len(a) and longest[i + 1][j] >= longest[i][j + 1]):
            yield Line('nova-compute', a[i])
            i += 1
        else:
            yield Line('agent', b[j])
            j += 1
