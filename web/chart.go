package web

import (
	"context"
	"strconv"

	"krama"
)

// bar is one bar of a chart. Share is its length in percent of the longest.
type bar struct {
	// Label stands in the table beside the chart, Tick below a column, Short above it.
	Label, Tick, Short string
	N                  int64
	Share              int
}

// monthBars makes a bar of each month, its height a share of the highest.
func monthBars(ms []month, most int64, value func(month) int64) (out []bar) {
	for _, m := range ms {
		// A column is narrow and shows a short number. The table beside it shows N.
		n := value(m)
		out = append(out, bar{monthName(m.First), strconv.Itoa(int(m.First.Time().Month())), short(n), n,
			share(n, most)})
	}
	return out
}

// peopleBars are how many people were reached in each month.
func peopleBars(ms []month) []bar {
	return monthBars(ms, mostPeople(ms), func(m month) int64 { return int64(m.People) })
}

// condomBars are how many condoms were given in each month.
func condomBars(ms []month) []bar {
	return monthBars(ms, mostCondoms(ms), func(m month) int64 { return m.Condoms })
}

// short writes a number in at most four characters.
func short(n int64) string {
	switch {
	case n >= 10000:
		return strconv.FormatInt(n/1000, 10) + "k"
	case n >= 1000:
		return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + "k"
	}
	return strconv.FormatInt(n, 10)
}

// districtBars are the people met in each district.
func districtBars(ctx context.Context, d overviewData) (out []bar) {
	// The order is that of the data: most people first.
	most := int64(0)
	for _, c := range d.Districts {
		most = max(most, int64(c.People))
	}
	for _, c := range d.Districts {
		out = append(out, bar{Label: district(ctx, c.Code), N: int64(c.People), Share: share(int64(c.People), most)})
	}
	return out
}

// roleList splits roles into single ones.
func roleList(r krama.Role) (out []krama.Role) {
	// Each role is a bit. One that is added behind the coordinator has to be added here too.
	for x := krama.RoleAdmin; x <= krama.RoleCoordinator; x <<= 1 {
		if r&x != 0 {
			out = append(out, x)
		}
	}
	return out
}

// circleOrder is the order of circles on the page of devices: circle 0, then as a programme founds them.
var circleOrder = append([]krama.CircleKind{krama.KindOrg}, krama.CircleKinds...)

// share is how much of the largest a number is, in percent: the height of a bar.
func share(n, most int64) int {
	if most <= 0 {
		return 0
	}
	return int(n * 100 / most)
}

// mostPeople is the month with the most people, for the height of bars.
func mostPeople(ms []month) (most int64) {
	for _, m := range ms {
		most = max(most, int64(m.People))
	}
	return most
}

// mostCondoms is the month in which most condoms were given.
func mostCondoms(ms []month) (most int64) {
	for _, m := range ms {
		most = max(most, m.Condoms)
	}
	return most
}
