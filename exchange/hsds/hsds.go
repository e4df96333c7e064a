// Package hsds reads and writes service directories in the Human Services Data Specification 3.0 (Open Referral), so
// that a directory kept elsewhere can be taken in, and ours can be taken away, without loss.
//
// HSDS has two forms of the same facts. The nested form is JSON: a service with its organization, locations and phones
// inside it; Document holds it. The tabular form is a table for each kind of object, with columns such as
// phone.service_id that link a row to its owner; Tables holds it. FromNested goes one way, Tables.Full and Tables.Brief
// the other.
//
// The package checks shapes and bounds only. Whether a value is right (a UUID, a known status) is for the schemas that
// the specification publishes, because a directory with one bad e-mail address is still worth reading.
//
// Source: https://docs.openreferral.org, version 3.0: schema/*.json, schema/compiled/*.json, schema/openapi.json.
package hsds

import "strings"

// Bounds on what is read, and on what is written, so that nothing written is refused when read again.
const (
	MaxBytes   = 64 << 20 // of one JSON text; of all files of one tabular package together, unpacked
	MaxObjects = 200_000  // JSON objects in one text; rows in one package; objects in one answer of Full
	MaxDepth   = 32       // arrays and objects inside each other; the specification's own deepest is 15
	MaxColumns = 256      // in one table
	MaxFiles   = 128      // in one folder or zip
)

// Object is a JSON object, or a row of a table. Its values are nil, bool, string, json.Number (the digits exactly as
// they were written), []any and Object. A field that is absent is not one that is nil.
type Object = map[string]any

// Kind is a kind of object, by the name that the specification's schemas give it, as "service_at_location".
type Kind string

// The kinds of HSDS 3.0.
const (
	Organization           Kind = "organization"
	Program                Kind = "program"
	Service                Kind = "service"
	Attribute              Kind = "attribute"
	ServiceAtLocation      Kind = "service_at_location"
	Location               Kind = "location"
	Phone                  Kind = "phone"
	Contact                Kind = "contact"
	Address                Kind = "address"
	Schedule               Kind = "schedule"
	Funding                Kind = "funding"
	ServiceArea            Kind = "service_area"
	RequiredDocument       Kind = "required_document"
	Language               Kind = "language"
	Accessibility          Kind = "accessibility"
	TaxonomyTerm           Kind = "taxonomy_term"
	Metadata               Kind = "metadata"
	MetaTableDescription   Kind = "meta_table_description"
	CostOption             Kind = "cost_option"
	OrganizationIdentifier Kind = "organization_identifier"
	Taxonomy               Kind = "taxonomy"
)

// A shape is what the specification says about a kind.
type shape struct {
	kind     Kind
	table    string   // its table's name: the file's without ".csv"
	columns  []string // in the specification's order
	numbers  map[string]bool
	required []string // in the nested form
	parts    []part
}

// A part is a property of the nested form that holds objects of another kind, and the column that says the same.
type part struct {
	name string
	kind Kind
	list bool   // the column stands in the part's row and names the owner; otherwise the reverse
	link string // the column
}

// spec is the specification, a line a kind: name, table, columns (# a number, ! required when nested).
const spec = `
organization organizations id! name! alternate_name description! email website tax_status tax_id year_incorporated# legal_status logo uri parent_organization_id
program programs id! organization_id name! alternate_name description!
service services id! organization_id program_id name! alternate_name description url email status! interpretation_services application_process fees_description wait_time fees accreditations eligibility_description minimum_age# maximum_age# assured_date assurer_email licenses alert last_modified
attribute attributes id! link_id taxonomy_term_id link_type link_entity value
service_at_location service_at_location id! service_id location_id description
location locations id! location_type! url organization_id name alternate_name description transportation latitude# longitude# external_identifier external_identifier_type
phone phones id! location_id service_id organization_id contact_id service_at_location_id number! extension# type description
contact contacts id! organization_id service_id service_at_location_id location_id name title department email
address addresses id! location_id attention address_1! address_2 city! region state_province! postal_code! country! address_type!
schedule schedules id! service_id location_id service_at_location_id valid_from valid_to dtstart timezone# until count# wkst freq interval# byday byweekno bymonthday byyearday description opens_at closes_at schedule_link attending_type notes
funding funding id! organization_id service_id source
service_area service_areas id! service_id name description extent extent_type uri
required_document required_documents id! service_id document uri
language languages id! service_id location_id phone_id name code note
accessibility accessibility id! location_id description details url
taxonomy_term taxonomy_terms id! code name! description! parent_id taxonomy language taxonomy_id term_uri
metadata metadata id! resource_id resource_type last_action_date! last_action_type! field_name! previous_value! replacement_value! updated_by!
meta_table_description meta_table_descriptions id! name language character_set
cost_option cost_options id! service_id valid_from valid_to option currency amount# amount_description
organization_identifier organization_identifiers id! organization_id identifier_scheme identifier_type! identifier!
taxonomy taxonomies id! name! description! uri version`

// nesting says what each kind holds: "name=kind" one object, "name*=kind" a list. All kinds but metadata, taxonomy and
// taxonomy_term hold attributes, but for attributes themselves; all but metadata hold metadata.
const nesting = `
service phones*=phone schedules*=schedule service_areas*=service_area service_at_locations*=service_at_location languages*=language organization=organization funding*=funding cost_options*=cost_option program=program required_documents*=required_document contacts*=contact
organization funding*=funding contacts*=contact phones*=phone locations*=location programs*=program organization_identifiers*=organization_identifier services*=service
service_at_location contacts*=contact phones*=phone schedules*=schedule location=location service=service
location languages*=language addresses*=address contacts*=contact accessibility*=accessibility phones*=phone schedules*=schedule
contact phones*=phone
phone languages*=language
attribute taxonomy_term=taxonomy_term
taxonomy_term taxonomy_detail=taxonomy`

// shapes in the specification's order, and by kind. They are read, never written, once made.
var shapes, shapeOf = parseSpec()

// parseSpec reads spec and nesting, once, when the program starts. It trusts them: a line of nesting for a kind that
// spec does not have stops every program that has this package, tests first.
func parseSpec() (all []*shape, by map[Kind]*shape) {
	by = map[Kind]*shape{}
	for line := range strings.Lines(strings.TrimSpace(spec)) {
		f := strings.Fields(line)
		s := &shape{kind: Kind(f[0]), table: f[1], numbers: map[string]bool{}}
		for _, c := range f[2:] {
			name := strings.TrimRight(c, "#!")
			s.columns = append(s.columns, name)
			if strings.HasSuffix(c, "#") {
				s.numbers[name] = true
			}
			if strings.HasSuffix(c, "!") {
				s.required = append(s.required, name)
			}
		}
		all, by[s.kind] = append(all, s), s
	}
	for line := range strings.Lines(strings.TrimSpace(nesting)) {
		f := strings.Fields(line)
		s := by[Kind(f[0])]
		for _, p := range f[1:] {
			name, kind, _ := strings.Cut(p, "=")
			name, list := strings.CutSuffix(name, "*")
			// The column is named after what it leads to: in the owner's row the part's kind, in a part's row the
			// owner's.
			link := kind + "_id"
			if list {
				link = f[0] + "_id"
			}
			s.parts = append(s.parts, part{name, Kind(kind), list, link})
		}
	}
	// These two are parts of nearly every kind, and stand in no line of nesting.
	for _, s := range all {
		switch s.kind {
		case Metadata:
			continue
		case Taxonomy, TaxonomyTerm, Attribute:
		default:
			s.parts = append(s.parts, part{"attributes", Attribute, true, "link_id"})
		}
		s.parts = append(s.parts, part{"metadata", Metadata, true, "resource_id"})
	}
	return all, by
}

// kindOf returns the kind whose table has the name, or "" for a table of somebody's own.
func kindOf(table string) Kind {
	for _, s := range shapes {
		if s.table == table {
			return s.kind
		}
	}
	return ""
}

// Columns returns the columns that the specification gives a kind's table, in its order; nil for an unknown kind.
func Columns(k Kind) []string {
	if s := shapeOf[k]; s != nil {
		return append([]string(nil), s.columns...)
	}
	return nil
}

// TableOf returns the name of a kind's table, as "services", or "".
func TableOf(k Kind) string {
	if s := shapeOf[k]; s != nil {
		return s.table
	}
	return ""
}
