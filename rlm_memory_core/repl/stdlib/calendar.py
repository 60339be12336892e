"""`calendar`: names of months and days, lengths of months, leap years; no printed calendars."""

from datetime import date

month_name = "|January|February|March|April|May|June|July|August|September|October|November|December".split("|")
month_abbr = [name[:3] for name in month_name]
day_name = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
day_abbr = [name[:3] for name in day_name]
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)


def isleap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def leapdays(y1, y2):
    return sum(1 for year in range(y1, y2) if isleap(year))


def weekday(year, month, day):
    return date(year, month, day).weekday()


def monthrange(year, month):
    if not 1 <= month <= 12:
        raise ValueError(f"bad month number {month}; must be 1-12")
    days = [31, 29 if isleap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    return (weekday(year, month, 1), days)


def monthcalendar(year, month):
    first, days = monthrange(year, month)
    cells = [0] * first + list(range(1, days + 1))
    cells += [0] * (-len(cells) % 7)
    return [cells[i : i + 7] for i in range(0, len(cells), 7)]
