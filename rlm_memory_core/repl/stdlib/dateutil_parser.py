"""`dateutil.parser.parse`: a date, and a time of day, in the forms in which people and programs write them.

Where a part is missing it is taken from `default`, or from today. `isoparse` reads ISO forms only.
No time zones but UTC.
"""

import re
from datetime import datetime, timezone

ParserError = ValueError

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAME = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = re.compile(
    r"\b(\d{1,2})(?::(\d{2}))?(?::(\d{2})(?:\.(\d{1,6}))?)?\s*([ap])\.?m\b\.?|\b(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?"
)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})t")
_DATES = [
    ("ymd", re.compile(r"\b(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})\b")),
    ("ymd", re.compile(r"\b(\d{4})(\d{2})(\d{2})\b")),
    ("mdy", re.compile(r"\b(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})\b")),
    ("dby", re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?(?: of)?[\s,-]+" + _NAME + r"\.?[\s,-]+(\d{4})\b")),
    ("bdy", re.compile(r"\b" + _NAME + r"\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b,?\s+(\d{4})\b")),
    ("by", re.compile(r"\b" + _NAME + r"\.?,?\s+(\d{4})\b")),
    ("bd", re.compile(r"\b" + _NAME + r"\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b")),
    ("db", re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?(?: of)?\s+" + _NAME + r"\b")),
    ("y", re.compile(r"^(\d{4})$")),
]
_FILLER = re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\b|\b(?:at|on|and|of|the|utc|gmt|z)\b|[\s,.()]+")


def parse(timestr, default=None, dayfirst=False, fuzzy=False, **options):
    if type(timestr) is not str:
        raise TypeError("Parser must be a string or character stream, not " + type(timestr).__name__)
    if options:
        raise TypeError("parse() takes default, dayfirst and fuzzy here, not " + ", ".join(options))
    text = _ISO.sub(r"\1-\2-\3 ", timestr.strip().lower())
    is_utc = re.search(r"\d\s*(?:z|utc|gmt|\+00:?00)$", text) is not None
    text = re.sub(r"\+00:?00$", "", re.sub(r"(\d)z$", r"\1", text))
    fields = {}
    clock = _TIME.search(text)
    if clock is not None:
        fields = _clock(clock)
        text = text[: clock.start()] + " " + text[clock.end() :]
    for kind, pattern in _DATES:
        found = pattern.search(text)
        if found is not None:
            fields.update(_day(kind, found.groups(), dayfirst))
            text = text[: found.start()] + " " + text[found.end() :]
            break
    rest = _FILLER.sub("", text)
    if not fields or (rest and not fuzzy):
        raise ValueError("Unknown string format: " + timestr)
    start = default or datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    if "day" not in fields:
        year, month = fields.get("year", start.year), fields.get("month", start.month)
        fields["day"] = min(start.day, _days(year, month))
    try:
        moment = start.replace(**fields)
    except ValueError as error:
        raise ValueError(str(error) + ": " + timestr)
    return moment.replace(tzinfo=timezone.utc) if is_utc else moment


def isoparse(dt_str):
    return datetime.fromisoformat(dt_str)


def _clock(match):
    parts = match.groups()
    hour, minute, second, fraction = parts[:4] if parts[4] else parts[5:9]
    hour = int(hour)
    if parts[4]:
        hour = hour % 12 + (12 if parts[4] == "p" else 0)
    micro = int((fraction or "0").ljust(6, "0"))
    return {"hour": hour, "minute": int(minute or 0), "second": int(second or 0), "microsecond": micro}


def _day(kind, parts, dayfirst):
    found = {}
    for letter, part in zip(kind, parts):
        if letter == "b":
            found["month"] = _MONTHS.index(part) + 1
        else:
            found[{"y": "year", "m": "month", "d": "day"}[letter]] = int(part)
    if kind == "mdy" and (dayfirst and found["day"] <= 12 or found["month"] > 12):
        found["month"], found["day"] = found["day"], found["month"]
    if "year" in found and found["year"] < 100:
        found["year"] += 2000 if found["year"] < 70 else 1900
    return found


def _days(year, month):
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
