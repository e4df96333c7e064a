package measure

import (
	"krama"
)

// Contacts calls yield with every contact.
type Contacts func(yield func(*krama.Contact))

// Distributed is what was given by hand in a period, in pieces, by commodity code, with the number of contacts at which
// something was given.
type Distributed struct {
	Pieces   krama.Supplies64
	Contacts int
	ByPlace  map[uint16]krama.Supplies64 // district
}

// Distribution adds up commodities. Pieces are not people: they are shown as they are, except that a district where
// fewer than five contacts gave anything is left to the total.
func Distribution(p krama.Period, contacts Contacts) *Distributed {
	d := &Distributed{ByPlace: map[uint16]krama.Supplies64{}}
	seen := map[uint16]int{}
	contacts(func(c *krama.Contact) {
		if !p.Contains(c.Date) || c.Given == (krama.Supplies{}) {
			return
		}
		d.Contacts++
		seen[c.District]++
		at := d.ByPlace[c.District]
		for i, n := range c.Given {
			d.Pieces[i] += int64(n)
			at[i] += int64(n)
		}
		d.ByPlace[c.District] = at
	})
	for place, n := range seen {
		if n < smallest {
			delete(d.ByPlace, place)
		}
	}
	return d
}
