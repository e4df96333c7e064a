package replica

import (
	"slices"
	"strings"
)

// Setting names one thing that a device remembers beside its records, or a family of them: a choice, a mark of what was
// done, a draft. Each is declared once, beside the code that owns it; what no declaration names cannot be written.
// Nothing of it leaves the device.
type Setting struct{ name string }

// About is what the owner of a setting says when people are erased: it returns what is left of a value. names reports
// whether a text has the id of one of them.
type About func(value string, names func(text string) bool) (left string)

// OfNobody is About for values in which no person is named.
func OfNobody(value string, _ func(string) bool) string { return value }

// OfOne is About for values that are one person's: a draft.
func OfOne(value string, names func(string) bool) string {
	if names(value) {
		return ""
	}
	return value
}

// OfEach is About for lists, whose parts stand apart by spaces: who is named in a part takes that along.
func OfEach(value string, names func(string) bool) string {
	if !names(value) {
		return value
	}
	return strings.Join(slices.DeleteFunc(strings.Fields(value), names), " ")
}

// owners has what each declared setting says of the erased, by its name in the journal. It is filled before main.
var owners = map[string]About{}

// NewSetting declares a setting under its name in the journal, which never changes. One that ends with a space, a dot
// or a stroke is a family. It panics where the name is taken.
func NewSetting(name string, about About) Setting {
	if owners[name] != nil {
		panic("replica: two owners of the setting " + name)
	}
	owners[name] = about
	return Setting{name}
}

// Of is the member of a family. A member whose part names a person is gone when she is erased, whatever it says.
func (s Setting) Of(part string) Setting { return Setting{s.name + part} }

// entry is the journal's entry of a value.
func (s Setting) entry(value string) []byte { return tagged(tagValue, []byte(s.name), []byte(value)) }

// owner is what the owner of a value says. Values of earlier versions, and of a part of the house that this program
// does not carry, have none here: they are taken for lists.
func owner(name string) About {
	// The longest declared name that this one begins with, cut at the ends that families have.
	for n := len(name); n > 0; n = strings.LastIndexAny(name[:n-1], " ./") + 1 {
		if f := owners[name[:n]]; f != nil {
			return f
		}
	}
	return OfEach
}

// settings are the values of a device by their names in the journal. An empty one is none.
type settings map[string]string

// of is a setting's value, "" when there is none.
func (v settings) of(s Setting) string { return v[s.name] }

// put remembers a value that is in the journal, or goes there with what is owed.
func (v settings) put(s Setting, value string) { v.set(s.name, value) }

// set is put by name.
func (v settings) set(name, value string) {
	if v[name] = value; value == "" {
		delete(v, name)
	}
}

// forget asks the owner of each value what is left of it without people. names reports whether a text has the id of one
// of them.
func (v settings) forget(names func(text string) bool) {
	for name, value := range v {
		if names(name) {
			delete(v, name)
			continue
		}
		v.set(name, owner(name)(value, names))
	}
}
