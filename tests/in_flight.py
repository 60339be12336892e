"""How much of what a test waits for is under way at once."""


class InFlight:
    """Counts on one event loop: `with in_flight:` around what is under way. `now` is how much, `most` the most so far.

    >>> with (in_flight := InFlight()), in_flight:
    ...     in_flight.now
    2
    >>> in_flight.now, in_flight.most
    (0, 2)
    """

    def __init__(self):
        self.now = self.most = 0

    def __enter__(self):
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *_):
        self.now -= 1
