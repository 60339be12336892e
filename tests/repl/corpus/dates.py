# weight: 11
#=== days between two dates
from datetime import datetime
fmt = "%Y/%m/%d"
a = datetime.strptime(session_dates[0][:10], fmt)
b = datetime.strptime(question_date[:10], fmt)
print((b - a).days, (b - a).days // 7, b > a)
#=== the whole format
from datetime import datetime
for d in session_dates:
    dt = datetime.strptime(d, "%Y/%m/%d (%a) %H:%M")
    print(dt, dt.date(), dt.strftime("%A, %B %d, %Y"), dt.weekday(), dt.isoformat())
#=== last Tuesday
from datetime import datetime, timedelta
said = datetime.strptime("2023/05/20", "%Y/%m/%d")
back = (said.weekday() - 1) % 7 or 7
print((said - timedelta(days=back)).strftime("%Y-%m-%d"))
#=== how many weeks and months ago
from datetime import date
start, end = date(2023, 6, 1), date(2024, 2, 29)
months = (end.year - start.year) * 12 + (end.month - start.month)
print((end - start).days, round((end - start).days / 7, 1), months)
#=== sort by date
from datetime import datetime
events = [("sold", "2024/02/29"), ("adopted", "2023/05/20"), ("moved", "2023/07/04")]
events.sort(key=lambda e: datetime.strptime(e[1], "%Y/%m/%d"))
print(events, events[-1][0])
#=== within the last year
from datetime import datetime, timedelta
now = datetime.strptime(question_date.split(" ")[0], "%Y/%m/%d")
recent = [i for i, d in enumerate(session_dates) if now - datetime.strptime(d.split()[0], "%Y/%m/%d") <= timedelta(days=365)]
print(recent)
#=== by month
from collections import defaultdict
by_month = defaultdict(list)
for i, d in enumerate(session_dates):
    by_month[d[:7]].append(i)
for month in sorted(by_month):
    print(month, by_month[month])
#=== a helper that tries formats
from datetime import datetime
def parse(text):
    for fmt in ("%Y-%m-%d", "%Y/%m/%d", "%B %d, %Y", "%d %b %Y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, fmt)
        except ValueError:
            continue
    return None
for t in ("2023-05-20", "May 20, 2023", "20 May 2023", "05/20/2023", "soon"):
    print(t, parse(t))
#=== durations
from datetime import timedelta
d = timedelta(hours=30, minutes=15)
print(d, d.days, d.seconds, d.total_seconds() / 3600, timedelta(weeks=2) / timedelta(days=1), -timedelta(days=1))
hours, rest = divmod(int(d.total_seconds()), 3600)
print(f"{hours}h {rest // 60}m")
#=== age on a day
from datetime import date
born, on = date(1990, 8, 15), date(2024, 3, 10)
age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
print(age)
#=== iso and replace
from datetime import date, datetime
d = date.fromisoformat("2023-05-20")
print(d.replace(day=1), d.isoformat(), d.year, d.month, str(d), repr(d), d == date(2023, 5, 20))
print(datetime(2023, 5, 20, 14, 5).strftime("%I:%M %p"), datetime.fromisoformat("2023-05-20T10:00:00").hour)
#=== next days
from datetime import date, timedelta
day = date(2024, 2, 27)
print([(day + timedelta(days=n)).strftime("%a %d") for n in range(4)])
#=== relativedelta
from datetime import date
from dateutil.relativedelta import relativedelta
r = relativedelta(date(2024, 3, 10), date(2023, 5, 20))
print(r.years, r.months, r.days)
print(date(2024, 1, 31) + relativedelta(months=1), date(2024, 3, 10) - relativedelta(years=1, weeks=2))
#=== dateutil parses
from dateutil import parser
for t in ["May 20, 2023", "2023-06-01", "28 June 2023", "2023/07/04 18:30", "June 28th 2023 10:30 am"]:
    print(parser.parse(t), parser.parse(t).date())
#=== calendar names
import calendar
print(calendar.month_name[5], calendar.day_name[calendar.weekday(2023, 5, 20)], list(map(int, calendar.monthrange(2024, 2))), calendar.isleap(2024))
print(list(calendar.month_abbr).index("Jun"))
#=== a table of months
months = {m: i for i, m in enumerate(["January", "February", "March", "April", "May", "June"], start=1)}
print(months["June"], f"{2023}-{months['June']:02d}-{28:02d}")
#=== iso weeks
from datetime import date
print(date(2023, 5, 20).isocalendar()[1], date(2021, 1, 3).isocalendar()[0], date(2023, 5, 20).isoweekday(), date(2023, 5, 20).toordinal())
#=== comparing strings of dates
latest = max(session_dates)
print(latest, min(session_dates), sorted(session_dates, reverse=True)[:2], latest[:4] == "2024")
#=== timestamps of turns
import re
from datetime import datetime
times = [datetime.strptime(m, "%H:%M") for m in re.findall(r"\d{2}:\d{2}", " ".join(session_dates))]
print(min(times).time(), max(times).strftime("%H:%M"), sorted(t.hour for t in times))
#=== today in the question
import datetime
today = datetime.datetime.strptime(question_date[:10], "%Y/%m/%d").date()
print(today, today - datetime.timedelta(days=today.weekday()))
