"""What a test tells: one line per thing it looked at, and the agent's log when something was not so."""
import sys


class Report:
    def __init__(self):
        self.mistakes = 0
        self.log = None  # a function that gives the agent's log

    def check(self, what, true, *details):
        if true:
            print('ok: ' + what, flush=True)
            return True
        print('NOT OK: ' + what, flush=True)
        for line in details:
            print('    %s' % (line,), flush=True)
        self.mistakes += 1
        return False

    def same(self, what, differences, meant, step):
        """No difference but the meant ones."""
        left = [d for d in differences if not any([m.covers(step, d) for m in meant])]
        self.check(what, not left, *left)

    def all_met(self, what, meant):
        late = [m for m in meant if m.missing]
        self.check(what, not late, *('does not occur any more: %s in %s (%s)'
                                     % (m.where.pattern, ', '.join(sorted(m.missing)), m.reason) for m in late))

    def end(self):
        if self.mistakes and self.log:
            print('---- the end of the log of the agent')
            print('\n'.join(self.log().splitlines()[-60:]))
        sys.exit(1 if self.mistakes else 0)
