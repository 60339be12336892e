"""Finds the numbers in the paper's Markdown and its README, for tests to hold the register against.

Knows nothing of the register. A number is a cell of a table, known by row and column,
or loose, known by its place alone: text, captions, labels, commands.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

# What has digits, and yet is no number of the paper's own.
IGNORED = (
    r"https?://\S+",
    r"\]\([^)]*\)",  # targets of links
    r"\[\d(, \d)*\]|\[Turn \d\]",  # references; turns of an example
    r"\(\d\)|^\d\. ",  # enumerations
    r"(Table|Figure|sub-agent|session) \d\b|§\d",
    r"\b2025\b",
    r"GPT-\d\w*|gpt-\d\w*|Gemini[ -]\d(\.\d)?|Claude \d\.\d|Qwen3-4B",
    r"\w*[A-Za-z_]\d\w*",  # F1, fact_508, real_longmemeval_100_results
)
WORDS = {"two": 2, "five": 5, "six": 6}
_COUNTED = re.compile(rf"\b({'|'.join(WORDS)}) (?:question |memory )?(?:failures|categories|types|abilities)\b", re.I)
_LATEX = {r"\text{K}": "K", r"\sim": "~", r"\approx": "~", r"\times": "×", r"\$": "USD ", "$": "", "−": "-"}
_NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?: ?([KM])\b)?(%)?")
_CELL = re.compile(r"~?[+-]?\d[\d,]*(\.\d+)?( ?[Ks%]| s)?")
_HEADING = re.compile(r"(\d(?:\.\d)?) [A-Z]|(Abstract|Reproducibility)$")


def paper_numbers(text):
    """Cells by (place, row, column), and a count of loose (place, value, mark), of paper.md."""
    return _collect(_paper_lines(text))


def readme_numbers(text):
    """The same of readme.md, where every place is "readme"."""
    return _collect(("readme", line) for line in text.splitlines())


def read_number(printed):
    """(value, decimals printed, "%" or "") of a printed number such as "~490K"."""
    found = _NUMBER.search(printed.replace("+", ""))
    value, letter, mark = found.group().rstrip("KM% ").replace(",", ""), found[1], found[2] or ""
    factor = {"K": 1_000, "M": 1_000_000, None: 1}[letter]
    return float(value) * factor, len(value.partition(".")[2]), mark


def _collect(lines):
    cells, loose = {}, Counter()
    for (place, is_table), group in groupby(lines, key=lambda pair: (pair[0], _is_row(pair[1]))):
        group = [_clean(line) for _, line in group]
        if is_table:
            group = list(_cells_of(place, group, cells))
        for line in group:
            loose.update((place, value, mark) for value, mark in _loose(line))
    return cells, loose


def _cells_of(place, lines, cells) -> Iterator[str]:
    """Puts the cells that are numbers into `cells` and gives back the others, as lines of text."""
    rows = [[cell.strip() for cell in re.split(r"[\t|]", line.strip("|"))] for line in lines if "---" not in line]
    header, *body = rows
    labels = [row[0] for row in body]
    for row in body:
        label = row[0] if labels.count(row[0]) == 1 else f"{row[0]}, {row[1]}"
        if _CELL.fullmatch(label):
            label = f"{label} {header[0].lower()}"
        for column, cell in zip(header, row, strict=True):
            if _CELL.fullmatch(cell):
                assert (place, label, column) not in cells
                cells[place, label, column] = read_number(cell)
            else:
                yield cell
    yield from header


def _paper_lines(text) -> Iterator[tuple[str, str]]:
    """Each line of the paper proper with its place; captions and rows go to their table or figure."""
    section = caption = ""
    fenced = False
    for line in text[: text.index("\nReferences\n")].splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading and "\t" not in line:
            section, caption = f"section {heading[1]}" if heading[1] else heading[2].lower(), ""
            continue
        if found := re.match(r"(Table|Figure) \d(?=: )", line):
            caption = found[0].lower()
            yield caption, line
        elif "\t" in line:
            yield caption, line
        elif section:
            yield section, line


def _is_row(line):
    return "\t" in line or line.startswith("|")


def _clean(line):
    for latex, plain in _LATEX.items():
        line = line.replace(latex, plain)
    line = line.replace("**", "").replace("⚡", "")
    line = re.sub(r"(\d)–(\d+%)", r"\1%–\2", line)  # both ends of a range of percentages are one
    return re.sub(r"(?<=~) (?=\d)", "", line)


def _loose(line) -> Iterator[tuple[float, str]]:
    for word in _COUNTED.findall(line):
        yield float(WORDS[word.lower()]), ""
    for pattern in IGNORED:
        line = re.sub(pattern, " ", line)
    line = line.replace("–", " – ")
    assert not re.search(r"\d", _NUMBER.sub("", line)), f"digits that were neither read nor ignored: {line}"
    for found in _NUMBER.finditer(line):
        value, _, mark = read_number(found.group())
        yield value, mark
