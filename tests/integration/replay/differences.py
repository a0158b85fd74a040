"""
Where the agent's rows and requests are meant to differ from the recorded ones, each with its reason. All other
differences fail the test, and so does one of these that no longer occurs.
"""
import re


class Meant:
    def __init__(self, steps, where, reason):
        self.missing = set(steps.split())  # steps in which it has not been seen yet
        self.steps, self.where, self.reason = frozenset(self.missing), re.compile(where), reason

    def covers(self, step, difference):
        if step not in self.steps or not self.where.search(str(difference)):
            return False
        self.missing.discard(step)
        return True


ROWS = [
    Meant('stop start reboot_hard pause unpause suspend resume delete',
          r'instance_extra\[\d+\]\.updated_at: nova-compute left "written", the agent "as before"',
          'nova-compute writes the same pci_requests, flavor or resources again each time it saves the instance'),
    Meant('boot_fail', r'instance_extra\[\d+\]\.(updated_at|vcpu_model): ',
          'the model of the CPU is written when a guest has got it; nova-compute does that before it has'),
    Meant('first_start', r'compute_nodes\[1\]\.numa_topology: .* the agent null$',
          'guests are not bound to NUMA cells here: without a topology the scheduler sends none that want to be'),
]

REQUESTS = [
    Meant('first_start', r'only nova-compute: GET /$', 'the version of placement is not asked for: 1.28 is Rocky'),
    Meant('first_start', r'only nova-compute: GET /resource_providers/[-0-9a-f]+/allocations$',
          'allocations of instances that were deleted elsewhere are looked for when the provider is as it should be'),
    Meant('first_start', r'only the agent: GET /resource_providers/[-0-9a-f]+/allocations$', 'which is later: the same'),
    Meant('boot boot_again boot_fail delete', r'only nova-compute: GET /resource_providers/[-0-9a-f]+/allocations$',
          'and in audits only, not each time that an instance comes or goes'),
    Meant('boot boot_again boot_fail delete', r'only nova-compute: GET /allocations/[-0-9a-f]+ \(1.28\)$',
          'a build needs nothing of its allocations: there are no nested providers'),
    Meant('first_start', r'PUT /resource_providers/[-0-9a-f]+/traits',
          'only what this agent does is claimed: the scheduler would send what it cannot do'),
]

# What the agent says to conductor.
CASTS = [
    Meant('boot_fail', r'instances\[0\]\.nova_object\.data\.migration_context: only nova-compute has it',
          'it has none: conductor reads what it misses'),
    Meant('boot_fail', r'instances\[0\]\.nova_object\.data\.updated_at: .* the agent null$',
          'the time as it was received: each save of conductor writes its own'),
    Meant('boot_fail', r'instances\[0\]\.nova_object\.data\.vcpu_model: .* the agent null$',
          'as in the row: no guest has got one'),
]
