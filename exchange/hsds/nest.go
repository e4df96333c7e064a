package hsds

import (
	"fmt"
	"slices"

	"krama"
)

// Full returns the objects of a kind with all that belongs to them nested inside, as the specification's *_full.json
// examples nest and as /services/{id} answers: those with the ids, in their order, or all of the table's when no id is
// given. Inside an object nothing leads back to a kind it is inside of: an organization's services do not repeat the
// organization.
//
// A link column is left out when the tables hold the row it names, for then nesting says it; it stays when they do not.
// Values are shared with the tables, objects are not. It returns NotFound for an id that no row has and TooLarge beyond
// MaxObjects.
func (t *Tables) Full(k Kind, ids ...string) ([]Object, error) {
	return t.nest("hsds.Full", k, ids, false)
}

// Brief is Full with only what an object has one of: a service with its organization and program, a service at location
// with its location and service, as the *_list.json examples and /services answer.
func (t *Tables) Brief(k Kind, ids ...string) ([]Object, error) {
	return t.nest("hsds.Brief", k, ids, true)
}

// A nester knows the rows by their ids and by the ids of their owners.
type nester struct {
	op    string
	brief bool
	left  int // objects
	links map[Kind]map[string][]Kind
	byID  map[Kind]map[string]Object
	owned map[owner][]Object
}

// owner is by whom rows are found: of which kind they are, in which column they name their owner, and its id.
type owner struct {
	part   Kind   // of the row
	column string // of the row
	id     string // of its owner
}

// nest is Full and Brief. It goes over all rows once, so that each object finds its parts without another look at the
// tables.
func (t *Tables) nest(op string, k Kind, ids []string, brief bool) ([]Object, error) {
	if err := t.check(op); err != nil {
		return nil, err
	}
	n := &nester{op: op, brief: brief, left: MaxObjects, links: map[Kind]map[string][]Kind{},
		byID: map[Kind]map[string]Object{}, owned: map[owner][]Object{}}
	for _, s := range shapes {
		n.links[s.kind] = linksOf(s.kind)
	}
	for _, x := range t.Tables {
		kind := kindOf(x.Name)
		if kind == "" {
			continue
		}
		n.byID[kind] = make(map[string]Object, len(x.Rows))
		for _, r := range x.Rows {
			id, _ := r["id"].(string)
			n.byID[kind][id] = r
			for column := range n.links[kind] {
				if to, ok := r[column].(string); ok {
					o := owner{kind, column, to}
					n.owned[o] = append(n.owned[o], r)
				}
			}
		}
	}
	var roots []Object
	if len(ids) == 0 {
		if x := t.Table(k); x != nil {
			roots = x.Rows
		}
	}
	for _, id := range ids {
		r := n.byID[k][id]
		if r == nil {
			return nil, krama.E(op, krama.NotFound, "no "+string(k)+" has this id")
		}
		roots = append(roots, r)
	}
	out := make([]Object, 0, len(roots))
	for _, r := range roots {
		o, err := n.object(k, r, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// linksOf returns the link columns of a kind's table and the kinds that each may name.
func linksOf(k Kind) map[string][]Kind {
	links := map[string][]Kind{}
	for _, s := range shapes {
		for _, p := range s.parts {
			switch {
			case p.list && p.kind == k:
				links[p.link] = append(links[p.link], s.kind)
			case !p.list && s.kind == k:
				links[p.link] = append(links[p.link], p.kind)
			}
		}
	}
	return links
}

// object is a row with what belongs to it. inside are the kinds it stands in: no kind comes twice among them, so that
// links in a circle end.
func (n *nester) object(k Kind, row Object, inside []Kind) (Object, error) {
	if n.left--; n.left < 0 {
		return nil, krama.E(n.op, krama.TooLarge, fmt.Sprintf("more than %d objects", MaxObjects))
	}
	out := make(Object, len(row))
	for name, v := range row {
		id, _ := v.(string)
		// A link to a row that is here is said by nesting. One that leads nowhere is all that is known of its owner.
		if !slices.ContainsFunc(n.links[k][name], func(to Kind) bool { return n.byID[to][id] != nil }) {
			out[name] = v
		}
	}
	// With no room behind it, so that no sibling writes over what another appends.
	inside = append(inside[:len(inside):len(inside)], k)
	id, _ := row["id"].(string)
	for _, p := range shapeOf[k].parts {
		if slices.Contains(inside, p.kind) || n.brief && p.list {
			continue
		}
		if !p.list {
			to, _ := row[p.link].(string)
			if r := n.byID[p.kind][to]; r != nil {
				o, err := n.object(p.kind, r, inside)
				if err != nil {
					return nil, err
				}
				out[p.name] = o
			}
			continue
		}
		var list []any
		for _, r := range n.owned[owner{p.kind, p.link, id}] {
			// Ids are of one table: a location may have the id of a service.
			if n.elsewhere(p.kind, k, id, r) {
				continue
			}
			o, err := n.object(p.kind, r, inside)
			if err != nil {
				return nil, err
			}
			list = append(list, o)
		}
		if list != nil {
			out[p.name] = list
		}
	}
	return out, nil
}

// elsewhere says whether an attribute or a metadata row belongs to an object of another kind with the same id. Their
// links name a row of any table, and say which in words that the specification does not fix ("location", "locations");
// they are heeded only where the tables make them matter.
func (n *nester) elsewhere(part, k Kind, id string, row Object) bool {
	if entity[part] == "" {
		return false
	}
	says := row[entity[part]]
	for _, s := range shapes {
		if says == string(s.kind) || says == s.table {
			return s.kind != k && n.byID[s.kind][id] != nil
		}
	}
	return false
}
