"""`heapq`: a list as a heap, and the n largest and smallest."""


def _up(heap, first, place):
    item = heap[place]
    while place > first:
        parent = (place - 1) // 2
        if not item < heap[parent]:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = item


def _down(heap, place):
    """Move the smaller child up as far as it goes, then the item back to where it belongs."""
    first, item = place, heap[place]
    child = 2 * place + 1
    while child < len(heap):
        if child + 1 < len(heap) and not heap[child] < heap[child + 1]:
            child += 1
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    heap[place] = item
    _up(heap, first, place)


def heapify(heap):
    for place in range(len(heap) // 2 - 1, -1, -1):
        _down(heap, place)


def heappush(heap, item):
    heap.append(item)
    _up(heap, 0, len(heap) - 1)


def heappop(heap):
    last = heap.pop()
    if not heap:
        return last
    first = heap[0]
    heap[0] = last
    _down(heap, 0)
    return first


def heapreplace(heap, item):
    first = heap[0]
    heap[0] = item
    _down(heap, 0)
    return first


def heappushpop(heap, item):
    return heapreplace(heap, item) if heap and heap[0] < item else item


def nlargest(n, iterable, key=None):
    return _sorted(iterable, key, True)[: max(n, 0)]


def nsmallest(n, iterable, key=None):
    return _sorted(iterable, key, False)[: max(n, 0)]


def merge(*iterables, key=None, reverse=False):
    """All at once, where CPython gives one by one."""
    return iter(_sorted([item for iterable in iterables for item in iterable], key, reverse))


def _sorted(values, key, reverse):
    """`sorted`, the keys worked out first: a sort cannot wait for the host."""
    if key is None:
        return sorted(values, reverse=reverse)
    values = list(values)
    keys = [key(value) for value in values]
    return [values[place] for place in sorted(range(len(values)), key=lambda place: keys[place], reverse=reverse)]
