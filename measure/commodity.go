package measure

import (
	"slices"

	"krama"
)

// Gifts calls yield with every contact and whose it is.
type Gifts func(yield func(krama.SubjectID, *krama.Contact))

// Gave is what was given of one commodity in one district: pieces, and to how many people.
type Gave struct {
	Pieces int64 `cbor:"1,keyasint"`
	People int   `cbor:"2,keyasint"`
}

// Given is what was given by hand in a period, by district and commodity code.
type Given map[uint16][len(krama.Supplies64{})]Gave

// Distribution adds up what was given.
func Distribution(p krama.Period, gifts Gifts) Given {
	// one is a gift that is counted as one person's, however often she got it.
	type one struct {
		place uint16
		what  int
		who   krama.SubjectID
	}
	g, seen := Given{}, map[one]bool{}
	gifts(func(who krama.SubjectID, c *krama.Contact) {
		if !p.Contains(c.Date) || c.Given == (krama.Supplies{}) {
			return
		}
		at := g[c.District]
		for i, n := range c.Given {
			if n == 0 {
				continue
			}
			at[i].Pieces += int64(n)
			if k := (one{c.District, i, who}); !seen[k] {
				seen[k] = true
				at[i].People++
			}
		}
		g[c.District] = at
	})
	return g
}

// Distributed is what was given as it may leave: pieces in all and by district. Pieces are not people, but what one
// woman got is hers to know: a number that stands for fewer than five people is hidden, and enough others that it
// cannot be worked out.
type Distributed struct {
	// The numbers are all here, hidden ones too. Whatever prints them asks Hidden and HiddenAt first.
	Pieces   krama.Supplies64
	Hidden   [len(krama.Supplies64{})]bool
	ByPlace  map[uint16]krama.Supplies64
	HiddenAt map[uint16][len(krama.Supplies64{})]bool
}

// Cover hides what must be hidden. Each commodity is a table of its own: districts and their total, in pieces.
func (g Given) Cover() *Distributed {
	d := &Distributed{ByPlace: map[uint16]krama.Supplies64{}, HiddenAt: map[uint16][len(krama.Supplies64{})]bool{}}
	var places []uint16
	for p := range g {
		places = append(places, p)
	}
	slices.Sort(places)
	for what := range d.Pieces {
		var given []uint16 // districts where somebody got some
		for _, p := range places {
			at := d.ByPlace[p]
			at[what] = g[p][what].Pieces
			d.ByPlace[p] = at
			d.Pieces[what] += at[what]
			if at[what] > 0 {
				given = append(given, p)
			}
		}
		// By people and then by district: every desk hides the same.
		slices.SortStableFunc(given, func(a, b uint16) int { return g[a][what].People - g[b][what].People })
		// The smallest are hidden until each that must be is one of two at least, who together are five people at
		// least: their sum, which follows from the total, is then nobody's.
		hidden, people := 0, 0
		for _, p := range given {
			if n := g[p][what].People; n < smallest || hidden > 0 && (hidden < 2 || people < smallest) {
				at := d.HiddenAt[p]
				at[what] = true
				d.HiddenAt[p] = at
				hidden, people = hidden+1, people+n
			}
		}
		d.Hidden[what] = hidden > 0 && (hidden < 2 || people < smallest) // there was nobody to hide them among
	}
	return d
}
