package form

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"krama"
)

// drawAnswer draws a value for a field: mostly one that fits, sometimes one that nearly does.
func drawAnswer(t *rapid.T, f *Field) any {
	odd := rapid.IntRange(0, 12).Draw(t, f.Name+" odd") == 0
	n := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, f.Name+" "+name) }
	if odd && n("kind", 0, 3) == 0 {
		other := []any{"x", -1, 1 << 40, []int{1}, true, [16]byte{1}, uint64(1) << 63}
		if !f.readable() { // a library reads numbers in a row as the bytes of an id; nobody has written one so
			other[3] = "y"
		}
		return other[n("any", 0, 6)]
	}
	var id [16]byte
	id[0] = byte(n("id", 0, 3))
	if !odd {
		id[1] = 1
	}
	switch f.Type {
	case Choice:
		if odd {
			return n("code", 0, 300)
		}
		return int(f.List.Codes[n("place", 0, len(f.List.Codes)-1)].N)
	case Choices:
		bits := uint64(0)
		for _, c := range f.List.Codes {
			bits |= uint64(n("bit", 0, 1)) << c.N
		}
		if odd {
			bits |= 1 << n("extra", 0, 63)
		}
		return bits
	case Flag:
		return n("flag", 0, 9) > 0
	case Number:
		return n("number", int(f.Min), int(f.Max)) + map[bool]int{true: n("beyond", -2, 70000)}[odd]
	case Counts:
		out := make([]int, f.places())
		for i := range out {
			out[i] = n("count", 0, int(f.Max))
		}
		if odd {
			out[n("which", 0, len(out)-1)] = n("many", 0, 80000)
		}
		return out
	case District:
		return n("district", 0, 1010) + map[bool]int{true: n("far", 0, 80000)}[odd]
	case DayType:
		if odd {
			return n("day", 10000, 90000)
		}
		return 20000 + n("day", 0, 300)
	case Drawn:
		good := map[string][]string{"person": {"K7M3", "7XQ2"}, "slip": {"K7M3QX9P2TDH"}}[f.Format]
		c := rapid.SampledFrom(good).Draw(t, f.Name)
		if f.Format == "person" {
			c = string(personCode)
		} else {
			c = string(slipCode)
		}
		if odd {
			c = c[1:] + "0"
		}
		return c
	case Entries:
		out := [][16]byte{}
		for range n("ids", 0, 3) + map[bool]int{true: n("more", 0, 40)}[odd] {
			out = append(out, id)
		}
		return out
	}
	return id
}

var (
	personCode krama.Code
	slipCode   krama.SlipCode
)

// counting gives the same bytes every time.
type counting byte

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		*c += 37
		b[i] = byte(*c)
	}
	return len(b), nil
}

// TestFormsAreTheRecords: of every kind that is older than forms, its form takes what the program takes and refuses
// what it refuses, whatever is missing, odd, or of another type.
func TestFormsAreTheRecords(t *testing.T) {
	var err error
	var draw counting
	if slipCode, err = krama.NewSlipCode(&draw); err != nil {
		t.Fatal(err)
	}
	if personCode, err = krama.NewCode(&draw); err != nil {
		t.Fatal(err)
	}
	for _, f := range shippedSet(t).Forms() {
		t.Run(f.Name, func(t *testing.T) {
			good, bad := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				in := map[int]any{}
				for _, x := range f.Fields() {
					if rapid.IntRange(0, 25).Draw(t, x.Name+" there") > 0 && x.Answered() {
						in[x.N] = drawAnswer(t, x)
					}
				}
				e, err := cborMode.Marshal(in)
				if err != nil {
					t.Fatal(err)
				}
				rec, err := cborMode.Marshal(map[int]any{1: krama.RecordID{1}, f.Part: in})
				if err != nil {
					t.Fatal(err)
				}
				_, refused := krama.DecodeRecord(rec)
				wrong := f.Validate(e, 20400)
				if (refused != nil) != (len(wrong) > 0) {
					t.Fatalf("%v: the program says %v, the form %v", in, refused, wrong)
				}
				if refused != nil {
					bad++
				} else {
					good++
				}
				if s := fmt.Sprint(wrong); strings.Contains(s, "K7M3") {
					t.Fatal("a message holds an answer")
				}
			})
			if good < 5 || bad < 5 {
				t.Errorf("%d good and %d bad were drawn: too few of one", good, bad)
			}
		})
	}
}
