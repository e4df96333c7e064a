package hsds

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// A spreadsheet runs a cell that begins with = + - @ (or their full-width twins, or a tab or a line break before them)
// as a formula, which can call out or start programs. A directory is other people's text, so on export such a text gets
// an apostrophe in front, the sign by which a spreadsheet takes a cell as text; on import the apostrophe is taken off.
//
// A text of digits, spaces and + - . ( ) alone is left as it is: it can do no more than arithmetic, and most are phone
// numbers, which other programs read from the same file. A text that already begins with apostrophes before such a
// sign gets one more, so that every text comes back as it went.

// formula says whether a spreadsheet would run a text, or would once apostrophes in front of it are taken off.
func formula(text string) bool {
	text = strings.TrimLeft(text, "'")
	if text != "" && strings.ContainsRune("\t\r\n", rune(text[0])) {
		return true
	}
	for _, r := range text {
		if !unicode.IsSpace(r) && !unicode.IsControl(r) {
			return strings.ContainsRune("=+-@＝＋－＠", r)
		}
	}
	return false
}

// arithmetic is a text that can do no more than count. It does not begin with a space: a text with one before its sign
// gets the apostrophe, and loses it when it is read.
var arithmetic = regexp.MustCompile(`^[-+(0-9][-+.() 0-9]*$`)

// neutralise puts an apostrophe before a text that a spreadsheet would run.
func neutralise(text string) string {
	if formula(text) && !arithmetic.MatchString(text) {
		return "'" + text
	}
	return text
}

// restore gives back what neutralise was given. An apostrophe before anything else is the text's own.
func restore(cell string) string {
	if strings.HasPrefix(cell, "'") && formula(cell) {
		return cell[1:]
	}
	return cell
}

// formatCell writes a value. What CSV has no form for is listed at WriteDir.
func formatCell(op string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return neutralise(v), nil
	case json.Number:
		// A json.Number is a string: whoever fills a table can put any text into one.
		if json.Valid([]byte(v)) {
			return string(v), nil
		}
		return neutralise(string(v)), nil
	}
	b, err := encode(op, v, "")
	return strings.TrimSuffix(string(b), "\n"), err
}

// parseCell reads a value of a column of a Frictionless type. It takes a cell as other than text only when the value
// would be written as the same cell again, so that "007" and "TRUE" stay as they are.
func parseCell(cell, typ string) any {
	text := restore(cell)
	switch typ {
	case "number", "integer", "boolean", "array", "object":
	default:
		return text
	}
	// Of the cell as it stands: what has an apostrophe was written as text.
	if !json.Valid([]byte(cell)) {
		return text
	}
	v, err := (&decoder{op: "hsds.cell", objects: MaxObjects}).decode([]byte(cell))
	if err != nil {
		return text
	}
	// A value of another type than the column's is text. So is one that would be written as another cell,
	// as a list with spaces after its commas.
	is := ""
	switch v.(type) {
	case bool:
		is = "boolean"
	case json.Number:
		if is = "number"; typ == "integer" {
			is = typ
		}
	case []any:
		is = "array"
	case Object:
		is = "object"
	}
	if again, err := formatCell("hsds.cell", v); is != typ || err != nil || again != cell {
		return text
	}
	return v
}
