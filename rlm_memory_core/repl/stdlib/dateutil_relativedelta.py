"""`dateutil.relativedelta`: years, months, weeks, days and times, added as a calendar does; no weekdays."""

from datetime import date, datetime, timedelta


def _month_days(year, month):
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]


def _carry(value, size):
    """Whole units of `size` and the rest, both with the sign of the value."""
    sign = -1 if value < 0 else 1
    whole, rest = divmod(value * sign, size)
    return whole * sign, rest * sign


def _moment(value):
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def _shifted(day, months):
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, _month_days(year, month + 1)))


class relativedelta:  # noqa: N801
    def __init__(
        self, dt1=None, dt2=None, years=0, months=0, days=0, weeks=0, hours=0, minutes=0, seconds=0,
        microseconds=0, year=None, month=None, day=None, hour=None, minute=None, second=None,
    ):  # fmt: skip
        self._set = {"year": year, "month": month, "day": day, "hour": hour, "minute": minute, "second": second}
        self.years, self.months, self.days = years, months, days + weeks * 7
        self.hours, self.minutes, self.seconds, self.microseconds = hours, minutes, seconds, microseconds
        if dt1 is not None and dt2 is not None:
            self._between(_moment(dt1), _moment(dt2))
        self._fix()
        self.weeks = int(self.days / 7)

    def _between(self, later, earlier):
        months = (later.year - earlier.year) * 12 + later.month - earlier.month
        sign = 1 if later >= earlier else -1
        while (later < _shifted(earlier, months)) if sign > 0 else (later > _shifted(earlier, months)):
            months -= sign
        rest = later - _shifted(earlier, months)
        self.months = months
        self.seconds = rest.seconds + rest.days * 86400
        self.microseconds = rest.microseconds

    def _fix(self):
        carry, self.microseconds = _carry(self.microseconds, 1000000)
        carry, self.seconds = _carry(self.seconds + carry, 60)
        carry, self.minutes = _carry(self.minutes + carry, 60)
        carry, self.hours = _carry(self.hours + carry, 24)
        self.days += carry
        carry, self.months = _carry(self.months, 12)
        self.years += carry

    def _added(self, day, sign):
        fixed = {name: value for name, value in self._set.items() if value is not None}
        months = (fixed.get("year", day.year) + sign * self.years) * 12
        months += fixed.get("month", day.month) - 1 + sign * self.months
        year, month = divmod(months, 12)
        fixed.update({"year": year, "month": month + 1})
        fixed["day"] = min(fixed.get("day", day.day), _month_days(year, month + 1))
        span = timedelta(
            days=self.days, hours=self.hours, minutes=self.minutes, seconds=self.seconds, microseconds=self.microseconds
        )
        return day.replace(**fixed) + span if sign > 0 else day.replace(**fixed) - span

    def __radd__(self, day):
        return self._added(day, 1)

    def __rsub__(self, day):
        return self._added(day, -1)

    def _times(self, n):
        return relativedelta(
            years=self.years * n, months=self.months * n, days=self.days * n, hours=self.hours * n,
            minutes=self.minutes * n, seconds=self.seconds * n, microseconds=self.microseconds * n,
        )  # fmt: skip

    def __neg__(self):
        return self._times(-1)

    def __mul__(self, n):
        return self._times(n)

    def __add__(self, other):
        if isinstance(other, (date, datetime)):
            return self._added(other, 1)
        return relativedelta(
            years=self.years + other.years, months=self.months + other.months, days=self.days + other.days,
            hours=self.hours + other.hours, minutes=self.minutes + other.minutes, seconds=self.seconds + other.seconds,
        )  # fmt: skip

    def __repr__(self):
        names = ["years", "months", "days", "hours", "minutes", "seconds", "microseconds"]
        values = [self.years, self.months, self.days, self.hours, self.minutes, self.seconds, self.microseconds]
        parts = [f"{name}={value:+g}" for name, value in zip(names, values) if value]
        parts += [f"{name}={value}" for name, value in self._set.items() if value is not None]
        return f"relativedelta({', '.join(parts)})"
