package krama

import (
	"fmt"
	"time"
)

// Day is a date as days since 1 January 1970 in the programme's own time zone; 0 is no date. Records carry the local
// day of an event, never its hour: an hour and a place together say too much.
type Day int32

// Indochina is UTC+7 all year. It is a fixed zone because phones and small machines ship without a zone database.
var Indochina = time.FixedZone("ICT", 7*3600)

// DayOf returns the local day of t in Indochina time.
func DayOf(t time.Time) Day {
	y, m, d := t.In(Indochina).Date()
	return Date(y, m, d)
}

// Date returns the day of a calendar date.
func Date(y int, m time.Month, d int) Day {
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Time returns midnight UTC of the day, for calendar arithmetic only.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String writes ISO 8601: 2026-03-31.
func (d Day) String() string {
	if d == 0 {
		return ""
	}
	y, m, dd := d.Time().Date()
	return fmt.Sprintf("%04d-%02d-%02d", y, m, dd)
}

// Month returns the first day of the day's month.
func (d Day) Month() Day { y, m, _ := d.Time().Date(); return Date(y, m, 1) }

// AddMonths moves d by n calendar months, clamped to the last day of the month.
func (d Day) AddMonths(n int) Day {
	y, m, dd := d.Time().Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return Date(first.Year(), first.Month(), min(dd, last))
}

// ParseDay reads ISO 8601 dates between 1970 and 2199.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse("2006-01-02", s)
	if err != nil || t.Year() < 1970 || t.Year() > 2199 {
		return 0, E("krama.ParseDay", Invalid, "a date is YYYY-MM-DD")
	}
	return Day(t.Unix() / 86400), nil
}

// Period is an inclusive range of days.
type Period struct{ From, To Day }

// Contains reports whether d lies in the period.
func (p Period) Contains(d Day) bool { return d >= p.From && d <= p.To }

// plausible accepts days from 2000 to 2199: a phone whose clock stands at 1970 must not date a record.
func plausible(d Day) bool { return d >= 10957 && d < 84006 }
