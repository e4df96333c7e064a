package form

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"krama"
	"krama/form/expr"
	"krama/shipped"
)

// Fault is what is wrong with a form file: the file, the field where there is one, and a sentence for whoever wrote it.
type Fault struct{ File, Field, Why string }

func (f *Fault) Error() string {
	if f.Field == "" {
		return f.File + ": " + f.Why
	}
	return f.File + ", " + f.Field + ": " + f.Why
}

// Bounds of a set, so that a phone can carry what somebody sends it.
const (
	MaxFile   = 256 << 10 // bytes of a file
	MaxForms  = 200
	MaxFields = 60 // of a form, and MaxNumber the last number of one: more does not fit a record and its amendments
	MaxNumber = 255
	MaxCodes  = 61 // of a list, whose codes lie below it: choices are bits of a number
)

// older are the kinds of record that came before forms, by their key in a record. Later ones begin at firstPart: what
// lies between is the protocol's.
var older = map[string]int{"person": 2, "contact": 3, "consent": 4, "referral": 16, "outcome": 17, "incident": 18}

const firstPart = 30

// circles by their names in form files.
var circles = map[string]krama.CircleKind{"outreach": krama.KindOutreach, "clinical": krama.KindClinical,
	"casework": krama.KindCasework, "safeguarding": krama.KindSafeguarding}

// noHarm are the types whose fields need not say who is hurt: what is shown and not answered, and what is calculated
// from fields that say it.
var noHarm = []Type{Note, Score}

// reader reads a set. It goes on after a fault, so that whoever writes forms sees all of them.
type reader struct {
	set    *Set
	words  func(key string) bool
	meant  map[string]string // what each key of words is for: one key has one meaning
	file   string            // being read
	faults []error
	rules  []func() // compiled once every form is there
}

// Read reads lists and forms, each file by its name, and checks all of them. words says whether a key has its words in
// every language. The error joins every *Fault; the set is nil then, and whatever set was in use stays in use.
func Read(lists, forms map[string][]byte, words func(key string) bool) (*Set, error) {
	r := &reader{set: &Set{lists: map[string]*List{}}, words: words, meant: map[string]string{}}
	r.each(lists, func(o shipped.Object) {
		for _, name := range sorted(o) {
			r.list(name, o.List(name))
		}
	})
	r.each(forms, r.form)
	slices.SortFunc(r.set.forms, func(a, b *Form) int { return cmp.Compare(a.Name, b.Name) })
	for i, f := range r.set.forms {
		if i > 0 && f.Name == r.set.forms[i-1].Name {
			r.fault("", "two forms have the name %s", f.Name)
		}
		if g := r.set.Part(f.Part); g != f {
			r.fault("", "%s and %s have one part", g.Name, f.Name)
		}
	}
	if len(r.set.forms) > MaxForms {
		r.fault("", "more than %d forms", MaxForms)
	}
	for _, compile := range r.rules {
		compile()
	}
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	return r.set, nil
}

// each reads files one after the other, by name.
func (r *reader) each(files map[string][]byte, f func(shipped.Object)) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r.file = name
		if len(files[name]) > MaxFile {
			r.fault("", "longer than %d kB", MaxFile>>10)
			continue
		}
		o, err := shipped.Read(files[name])
		if err != nil {
			r.fault("", "it is not written as form files are: one object of text, whole numbers, lists and objects")
			continue
		}
		f(o)
	}
}

func (r *reader) fault(field, format string, args ...any) {
	r.faults = append(r.faults, &Fault{r.file, field, fmt.Sprintf(format, args...)})
}

// shape faults keys of an object that the reader does not know, and values that are of another kind than theirs: what
// was misspelt must not be passed over. kinds names each key's kind: text, number, list.
func (r *reader) shape(o shipped.Object, field string, kinds map[string]string) {
	for _, k := range sorted(o) {
		kind, is := kinds[k], ""
		switch o[k].(type) {
		case string:
			is = "text"
		case int64:
			is = "number"
		case []any:
			is = "list"
		}
		switch {
		case kind == "":
			r.fault(field, "it says %q, which means nothing here", k)
		case kind != is:
			r.fault(field, "%s should be a %s", k, kind)
		}
	}
}

// what of forms, their groups and their fields is of which kind.
var (
	formShape = map[string]string{"form": "text", "part": "number", "revision": "number", "circle": "text",
		"about": "text", "source": "text", "version": "text", "validFrom": "text", "verifiedBy": "text",
		"verifiedOn": "text", "groups": "list"}
	groupShape = map[string]string{"group": "text", "fields": "list"}
	fieldShape = map[string]string{"n": "number", "name": "text", "type": "text", "list": "text", "is": "list",
		"min": "number", "max": "number", "decimals": "number", "offer": "list", "relevant": "text",
		"constraint": "text", "calculated": "text", "format": "text", "words": "text"}
)

// worded faults a key without words in every language, or with words that mean something else.
func (r *reader) worded(field, key, what, say string) {
	if !r.words(key) {
		r.fault(field, "%s", say)
	}
	if other := r.meant[key]; other != "" && other != what {
		r.fault(field, "its words are those of %s, too: %s", other, key)
	}
	r.meant[key] = what
}

func sorted(o shipped.Object) (keys []string) {
	for k := range o {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// named reports whether a word can be a name: lower case, digits and hyphens, beginning with a letter.
func named(s string) bool {
	if s == "" || len(s) > 40 || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || s[i-1] == '-') {
			return false
		}
	}
	return true
}

// list reads a list of codes: [1, "woman"], and [1, "woman", "retired"].
func (r *reader) list(name string, codes []any) {
	l := &List{Name: name}
	if !named(name) || r.set.lists[name] != nil {
		r.fault(name, "a list has a name of its own, in lower case")
		return
	}
	r.set.lists[name] = l
	for i, v := range codes {
		c, _ := v.([]any)
		n := int64(-1)
		var key, more string
		if len(c) == 2 || len(c) == 3 {
			if v, ok := c[0].(int64); ok {
				n = v
			}
			key, _ = c[1].(string)
			if len(c) == 3 {
				more, _ = c[2].(string)
			}
		}
		_, twice := l.Key(key)
		_, used := l.Code(uint8(n))
		switch {
		case key == "" || n < 0 || n >= MaxCodes || len(c) == 3 && more != "retired":
			r.fault(name, "code %d is not a number below %d and its key", i+1, MaxCodes)
		case twice || used:
			r.fault(name, "%s has a number or key that another has", key)
		default:
			r.worded(name, name+"."+key, "a code", key+" lacks its words in one of the languages")
			l.Codes = append(l.Codes, Code{uint8(n), key, more != ""})
		}
	}
	if len(l.Codes) == 0 {
		r.fault(name, "the list is empty")
	}
}

// form reads a form.
func (r *reader) form(o shipped.Object) {
	r.shape(o, "", formShape)
	f := &Form{Name: o.Text("form"), Part: int(o.Number("part")), Revision: int(o.Number("revision")),
		Circle: circles[o.Text("circle")], Person: o.Text("about") == "person",
		Source: Source{o.Text("source"), o.Text("version"), o.Text("validFrom"), o.Text("verifiedBy"),
			o.Text("verifiedOn")}}
	switch {
	case !named(f.Name):
		r.fault("", "a form has a name in lower case")
	case older[f.Name] != f.Part && (older[f.Name] != 0 || f.Part < firstPart) || f.Revision < 1:
		r.fault("", "a form has its revision, from 1, and a part from %d", firstPart)
	case circles[o.Text("circle")] == 0:
		r.fault("", "there is no circle %q", o.Text("circle"))
	case o.Text("about") != "person" && o.Text("about") != "nobody":
		r.fault("", "a form is about a person or about nobody")
	case f.Source.Source == "":
		r.fault("", "a form says where its questions come from")
	}
	r.worded("", f.Name+".title", "a title", "its title lacks its words in one of the languages")
	for _, g := range o.List("groups") {
		g, ok := g.(shipped.Object)
		if !ok {
			r.fault("", "a group has a heading and fields")
			continue
		}
		r.shape(g, "", groupShape)
		group := Group{Name: g.Text("group")}
		if group.Name != "" {
			if !named(group.Name) || group.Name == "harm" {
				r.fault("", "the heading %q is no name", group.Name)
			}
			r.worded("", f.Name+".group."+group.Name, "a heading",
				"the heading of "+group.Name+" lacks its words in one of the languages")
		}
		for _, x := range g.List("fields") {
			x, ok := x.(shipped.Object)
			if !ok {
				r.fault("", "a field has a number, a name and a type")
				continue
			}
			if field := r.field(f, x); field != nil {
				group.Fields = append(group.Fields, field)
				f.fields = append(f.fields, field)
			}
		}
		f.Groups = append(f.Groups, group)
	}
	if len(f.fields) == 0 || len(f.fields) > MaxFields {
		r.fault("", "a form has 1 to %d fields", MaxFields)
	}
	r.set.forms = append(r.set.forms, f)
	file := r.file
	r.rules = append(r.rules, func() { r.file = file; r.circular(f) })
}

// field reads a field, or faults it.
func (r *reader) field(f *Form, o shipped.Object) *Field {
	x := &Field{N: int(o.Number("n")), Name: o.Text("name"), Type: Type(o.Text("type")), Min: o.Number("min"),
		Max: o.Number("max"), Decimals: int(o.Number("decimals")),
		Format: o.Text("format"), Words: o.Text("words")}
	at := x.Name
	r.shape(o, at, fieldShape)
	if !named(x.Name) || f.Field(x.Name) != nil || x.Name == "title" || expr.Reserved(x.Name) {
		r.fault(at, "a field has a name of its own, in lower case, that is no word of the rules")
		return nil
	}
	if n := o.Number("n"); (n < 1 || n > MaxNumber || f.Numbered(x.N) != nil) && x.Type != Note {
		r.fault(at, "a field has a number of its own, from 1 to %d, that no other has or had", MaxNumber)
		return nil
	}
	for _, w := range o.List("is") {
		switch w {
		case "required":
			x.Required = true
		case "default":
			x.Default = true
		case "always":
			x.Always = true
		case "amended":
			x.Amended = true
		case "prefill":
			x.Prefill = true
		default:
			r.fault(at, "it is %v, which means nothing here", w)
		}
	}
	for _, v := range o.List("offer") {
		if n, _ := v.(int64); n > 0 && x.Type == DayType {
			x.Offer = append(x.Offer, n)
		} else {
			r.fault(at, "a day offers whole numbers of days ahead; nothing else offers any")
		}
	}
	r.typed(f, x, o)
	if x.Words != "" {
		if !r.words(x.Words) {
			r.fault(at, "it lacks its words in one of the languages")
		}
	} else {
		r.worded(at, f.Label(x), "a question", "it lacks its words in one of the languages")
	}
	if !slices.Contains(noHarm, x.Type) {
		r.worded(at, f.Harm(x), "a harm",
			"it does not say in every language who is hurt if this is read, and what limits it ("+f.Harm(x)+")")
	}
	file := r.file
	r.rules = append(r.rules, func() {
		r.file = file
		x.Relevant = r.rule(f, x, o, "relevant", expr.Truth)
		x.Constraint = r.rule(f, x, o, "constraint", expr.Truth)
		x.Calculated = r.rule(f, x, o, "calculated", expr.Number)
	})
	return x
}

// typed checks what a field's type needs and forbids.
func (r *reader) typed(f *Form, x *Field, o shipped.Object) {
	at, list := x.Name, o.Text("list")
	if x.Type == YesNo && list == "" {
		list = string(YesNo)
	}
	x.List = r.set.lists[list]
	needs := x.Type == Choice || x.Type == Choices || x.Type == YesNo || x.Type == Counts
	switch {
	case !slices.Contains([]Type{Choice, Choices, YesNo, Flag, Number, Counts, DayType, District, Score, Note,
		Drawn, EntryID, Entries, Listing, Thread}, x.Type):
		r.fault(at, "there is no type %q", x.Type)
	case needs && x.List == nil:
		r.fault(at, "there is no list %q", list)
		x.List = &List{Name: list} // so that rules about it are checked all the same
	case !needs && list != "":
		r.fault(at, "%s has no list", x.Type)
	case (x.Min != 0 || x.Max != 0) && x.Type != Number && x.Type != Counts &&
		x.Type != Entries:
		r.fault(at, "%s has no bounds", x.Type)
	case x.Min > x.Max:
		r.fault(at, "its least is more than its most")
	case (x.Type == Drawn) != (x.Format == "person" || x.Format == "slip"):
		r.fault(at, "a code has a format, person or slip, and nothing else has one")
	case (x.Type == Number || x.Type == Counts || x.Type == Entries) && x.Max == 0:
		r.fault(at, "a number says from where to where it goes")
	case x.Decimals < 0 || x.Decimals > 3 || x.Decimals > 0 && x.Type != Number:
		r.fault(at, "a number has up to three decimals")
	case (o.Text("calculated") != "") != (x.Type == Score):
		r.fault(at, "a score is calculated, and nothing else is")
	case o.Text("constraint") != "" && !x.Answered():
		r.fault(at, "nothing is answered that a constraint could be of")
	case x.Default && (x.Type == DayType || !x.readable()), x.Default && needs && x.Type != Choices &&
		x.Type != Counts &&
		!x.zeroIsCode():
		r.fault(at, "no answer is not the answer zero here")
	case x.Required && (x.Type == Note || x.Type == Score || x.Amended):
		r.fault(at, "nobody can answer it, so it cannot be required")
	}
}

// zeroIsCode reports whether zero is a code of the field's list.
func (f *Field) zeroIsCode() bool {
	_, ok := f.List.Code(0)
	return ok
}

// rule compiles one of a field's rules.
func (r *reader) rule(f *Form, x *Field, o shipped.Object, which string, k expr.Kind) *expr.Rule {
	src := o.Text(which)
	if src == "" {
		return nil
	}
	rule, err := expr.Compile(src, inRules{scope{r.set, f, false}}, k)
	if err != nil {
		r.fault(x.Name, "%s: %v", which, err)
	}
	return rule
}

// circular faults fields that are asked or calculated by way of themselves.
func (r *reader) circular(f *Form) {
	state := map[int]uint8{} // 1 while its way is walked, 2 when that is done
	var walk func(x *Field) bool
	walk = func(x *Field) bool {
		if x == nil || state[x.N] == 2 {
			return true
		}
		if state[x.N] == 1 {
			return false
		}
		state[x.N] = 1
		for _, rule := range []*expr.Rule{x.Relevant, x.Calculated} {
			if rule == nil {
				continue
			}
			for _, n := range rule.Reads {
				if !walk(f.Numbered(n)) {
					return false
				}
			}
		}
		state[x.N] = 2
		return true
	}
	for _, x := range f.fields {
		if x.Type != Note && !walk(x) {
			r.fault(x.Name, "it is asked or calculated by way of itself")
			return
		}
	}
}
