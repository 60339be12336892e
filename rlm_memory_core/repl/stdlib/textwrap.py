"""`textwrap`: wrap, fill, shorten, dedent, indent, with the options that are used; no `TextWrapper`."""

import re

_BREAK = re.compile(r"\w[^\W\d]-\w")


def _chunks(text):
    """Words, parts of hyphenated words, and the blanks between them."""
    chunks = []
    for piece in re.findall(r"\s+|\S+", text):
        start = 0
        for i in range(2, len(piece) - 2):
            letters = piece[i - 1].isalpha() and piece[i - 2].isalnum()
            if piece[i] == "-" and letters and piece[i + 1].isalnum() and piece[i + 2].isalpha():
                chunks.append(piece[start : i + 1])
                start = i + 1
        chunks.append(piece[start:])
    return chunks


def wrap(
    text,
    width=70,
    *,
    initial_indent="",
    subsequent_indent="",
    break_long_words=True,
    max_lines=None,
    placeholder=" [...]",
):
    if width <= 0:
        raise ValueError(f"invalid width {width!r} (must be > 0)")
    chunks = _chunks("".join(" " if c in "\t\n\x0b\x0c\r" else c for c in text.expandtabs()))
    lines = []
    place = 0
    while place < len(chunks):
        start = subsequent_indent if lines else initial_indent
        room = width - len(start)
        if lines and not chunks[place].strip():
            place += 1
            continue
        line, length = [], 0
        while place < len(chunks) and length + len(chunks[place]) <= room:
            line.append(chunks[place])
            length += len(chunks[place])
            place += 1
        if place < len(chunks) and len(chunks[place]) > room:
            if break_long_words:
                space = max(room - length, 1)
                line.append(chunks[place][:space])
                chunks[place] = chunks[place][space:]
            elif not line:
                line.append(chunks[place])
                place += 1
        if line and not line[-1].strip():
            line.pop()
        if not line:
            continue
        rest = [chunk for chunk in chunks[place:] if chunk.strip()]
        if max_lines is None or len(lines) + 1 < max_lines or not rest:
            lines.append(start + "".join(line))
            continue
        while line:
            if line[-1].strip() and len("".join(line)) + len(placeholder) <= room:
                lines.append(start + "".join(line) + placeholder)
                break
            line.pop()
        else:
            if lines and len(lines[-1].rstrip()) + len(placeholder) <= width:
                lines[-1] = lines[-1].rstrip() + placeholder
            else:
                lines.append(start + placeholder.lstrip())
        break
    return lines


def fill(text, width=70, **options):
    return "\n".join(wrap(text, width, **options))


def shorten(text, width, **options):
    return fill(" ".join(text.strip().split()), width, max_lines=1, **options)


def indent(text, prefix, predicate=None):
    chosen = predicate or (lambda line: line.strip())
    return "".join(prefix + line if chosen(line) else line for line in text.splitlines(True))


def dedent(text):
    lines = ["" if not line.strip() else line for line in text.split("\n")]
    margin = None
    for line in lines:
        if line:
            blank = line[: len(line) - len(line.lstrip(" \t"))]
            if margin is None:
                margin = blank
            while not blank.startswith(margin):
                margin = margin[:-1]
    return "\n".join(line[len(margin) :] if line else line for line in lines) if margin else "\n".join(lines)
