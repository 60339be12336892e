"""`difflib`: SequenceMatcher, get_close_matches, unified_diff; no HTML, no ndiff."""


class SequenceMatcher:
    """The longest common block, then the same left and right of it."""

    def __init__(self, isjunk=None, a="", b="", autojunk=True):
        self._isjunk, self._autojunk = isjunk, autojunk
        self.set_seqs(a, b)

    def set_seqs(self, a, b):
        self.set_seq1(a)
        self.set_seq2(b)

    def set_seq1(self, a):
        self.a, self._blocks = a, None

    def set_seq2(self, b):
        self.b, self._blocks = b, None
        places = {}
        for j, item in enumerate(b):
            if item not in places:
                places[item] = []
            places[item].append(j)
        self._counts = {item: len(found) for item, found in places.items()}
        self._junk = {item for item in places if self._isjunk is not None and self._isjunk(item)}
        places = {item: found for item, found in places.items() if item not in self._junk}
        if self._autojunk and len(b) >= 200:
            places = {item: found for item, found in places.items() if len(found) <= len(b) // 100 + 1}
        self._places = places

    def find_longest_match(self, alo=0, ahi=None, blo=0, bhi=None):
        a, b = self.a, self.b
        ahi = len(a) if ahi is None else ahi
        bhi = len(b) if bhi is None else bhi
        i, j, size, lengths = alo, blo, 0, {}
        for x in range(alo, ahi):
            longer = {}
            for y in self._places.get(a[x], ()):
                if y >= bhi:
                    break
                if y >= blo:
                    length = lengths.get(y - 1, 0) + 1
                    longer[y] = length
                    if length > size:
                        i, j, size = x - length + 1, y - length + 1, length
            lengths = longer
        for junk in (False, True):  # common items first, then junk beside the match
            while i > alo and j > blo and a[i - 1] == b[j - 1] and (b[j - 1] in self._junk) == junk:
                i, j, size = i - 1, j - 1, size + 1
            while i + size < ahi and j + size < bhi and a[i + size] == b[j + size]:
                if (b[j + size] in self._junk) != junk:
                    break
                size += 1
        return (i, j, size)

    def get_matching_blocks(self):
        if self._blocks is None:
            waiting, found = [(0, len(self.a), 0, len(self.b))], []
            while waiting:
                alo, ahi, blo, bhi = waiting.pop()
                i, j, size = self.find_longest_match(alo, ahi, blo, bhi)
                if size:
                    found.append((i, j, size))
                    if alo < i and blo < j:
                        waiting.append((alo, i, blo, j))
                    if i + size < ahi and j + size < bhi:
                        waiting.append((i + size, ahi, j + size, bhi))
            joined = []
            for i, j, size in sorted(found):
                if joined and joined[-1][0] + joined[-1][2] == i and joined[-1][1] + joined[-1][2] == j:
                    joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + size)
                else:
                    joined.append((i, j, size))
            self._blocks = [*joined, (len(self.a), len(self.b), 0)]
        return self._blocks

    def get_opcodes(self):
        i = j = 0
        codes = []
        for a, b, size in self.get_matching_blocks():
            if i < a and j < b:
                codes.append(("replace", i, a, j, b))
            elif i < a:
                codes.append(("delete", i, a, j, b))
            elif j < b:
                codes.append(("insert", i, a, j, b))
            i, j = a + size, b + size
            if size:
                codes.append(("equal", a, i, b, j))
        return codes

    def ratio(self):
        return self._share(sum(size for _, _, size in self.get_matching_blocks()))

    def quick_ratio(self):
        left, matches = dict(self._counts), 0
        for item in self.a:
            if left.get(item, 0) > 0:
                matches += 1
            left[item] = left.get(item, 0) - 1
        return self._share(matches)

    def real_quick_ratio(self):
        return self._share(min(len(self.a), len(self.b)))

    def _share(self, matches):
        total = len(self.a) + len(self.b)
        return 2.0 * matches / total if total else 1.0


def get_close_matches(word, possibilities, n=3, cutoff=0.6):
    scored = [(SequenceMatcher(None, possible, word).ratio(), possible) for possible in possibilities]
    return [possible for score, possible in sorted(scored, reverse=True) if score >= cutoff][:n]


def _span(start, stop):
    length = stop - start
    return f"{start + 1}" if length == 1 else f"{start if not length else start + 1},{length}"


def unified_diff(a, b, fromfile="", tofile="", fromfiledate="", tofiledate="", n=3, lineterm="\n"):
    lines = []
    for group in _groups(SequenceMatcher(None, a, b).get_opcodes(), n):
        if not lines:
            for mark, name, day in (("---", fromfile, fromfiledate), ("+++", tofile, tofiledate)):
                lines.append(f"{mark} {name}{chr(9) + day if day else ''}{lineterm}")
        first, last = group[0], group[-1]
        lines.append(f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@{lineterm}")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [" " + line for line in a[i1:i2]]
            else:
                lines += ["-" + line for line in a[i1:i2]] if tag != "insert" else []
                lines += ["+" + line for line in b[j1:j2]] if tag != "delete" else []
    return iter(lines)


def _groups(codes, n):
    """Changes with n lines of context; far changes in groups of their own."""
    if not [code for code in codes if code[0] != "equal"]:
        return []
    if codes[0][0] == "equal":
        tag, i1, i2, j1, j2 = codes[0]
        codes[0] = (tag, max(i1, i2 - n), i2, max(j1, j2 - n), j2)
    if codes[-1][0] == "equal":
        tag, i1, i2, j1, j2 = codes[-1]
        codes[-1] = (tag, i1, min(i2, i1 + n), j1, min(j2, j1 + n))
    groups, group = [], []
    for tag, i1, i2, j1, j2 in codes:
        if tag == "equal" and i2 - i1 > 2 * n:
            groups.append([*group, (tag, i1, min(i2, i1 + n), j1, min(j2, j1 + n))])
            group, i1, j1 = [], max(i1, i2 - n), max(j1, j2 - n)
        group.append((tag, i1, i2, j1, j2))
    if group and not (len(group) == 1 and group[0][0] == "equal"):
        groups.append(group)
    return groups
