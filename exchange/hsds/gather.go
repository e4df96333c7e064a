package hsds

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"krama"
)

// Gathering is reading what somebody else's program wrote: every record that can be taken in is, and each that cannot
// is named with its reason. ReadTables, ReadZip and ReadJSON take what the specification says and nothing else.

// A Remark names what was stepped over, so that the rest could be read. Its texts can be printed.
type Remark struct {
	Where string // a file, a line of a table, an object
	Why   string
}

func (r Remark) String() string { return r.Where + ": " + r.Why }

// gatherer reads one directory and takes down what it steps over. op is the call, for errors.
type gatherer struct {
	op      string
	remarks []Remark
}

// maxRemarks is how many remarks are kept; the last one says that there were more.
const maxRemarks = 1000

// remark takes down one thing that was stepped over. A file that is wrong in every line must not fill the memory with
// remarks.
func (g *gatherer) remark(where, why string) {
	switch len(g.remarks) {
	case maxRemarks:
	case maxRemarks - 1:
		g.remarks = append(g.remarks, Remark{"from here on", "there is more of this kind"})
	default:
		g.remarks = append(g.remarks, Remark{where, why})
	}
}

// GatherDir reads the tables at the top of a folder. Beside what ReadTables takes, it takes names of files and columns
// in capitals; semicolons, tabs or bars between cells; blank rows and columns; rows of a table that nothing refers to
// without ids. Other files are named and not looked at; so is each row that is shorter or longer than its header, has a
// stray quotation mark, or the id of another. It returns the errors of ReadTables for what is wrong with a whole file.
func GatherDir(folder fs.FS) (*Tables, []Remark, error) {
	g := &gatherer{op: "hsds.GatherDir"}
	t, err := g.folder(folder)
	return t, g.remarks, err
}

// folder is GatherDir of an open folder, for zip files too.
func (g *gatherer) folder(folder fs.FS) (*Tables, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, &krama.Error{Op: g.op, Kind: krama.Invalid, Why: "the folder cannot be read", Err: err}
	}
	t, types, left := &Tables{}, map[string]map[string]string{}, int64(MaxBytes)
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == datapackage && e.Type().IsRegular()
	}) {
		b, err := g.file(folder, datapackage, &left)
		if err != nil {
			return nil, err
		}
		t.Datapackage, types = b, columnTypes(b)
	}
	files := 0
	for _, e := range entries {
		name, isTable := strings.CutSuffix(strings.ToLower(e.Name()), ".csv")
		switch {
		// What systems put beside files by themselves is not worth a remark.
		case e.Name() == datapackage || strings.HasPrefix(e.Name(), ".") || e.Name() == "__MACOSX":
			continue
		case !isTable || e.IsDir():
			g.remark(quote(e.Name()), "not a table, and not read")
			continue
		case !e.Type().IsRegular():
			return nil, krama.E(g.op, krama.Invalid, "not a plain file: "+quote(e.Name()))
		}
		if files++; files > MaxFiles {
			return nil, krama.E(g.op, krama.TooLarge, fmt.Sprintf("more than %d files", MaxFiles))
		}
		b, err := g.file(folder, e.Name(), &left)
		if err != nil {
			return nil, err
		}
		x := &Table{Name: name}
		if !tableName.MatchString(name) {
			g.remark(quote(e.Name()), "not a table's name, and not read")
			continue
		}
		if err := g.table(x, b, types[x.Name]); err != nil {
			return nil, err
		}
		t.Tables = append(t.Tables, x)
	}
	if len(t.Tables) == 0 {
		return nil, krama.E(g.op, krama.NotFound, "no CSV file at the top of the folder")
	}
	t.sort()
	// From here on the rules are those of the strict readers.
	return t, t.check(g.op)
}

// file reads one file, and takes its length from what is left for all.
func (g *gatherer) file(folder fs.FS, name string, left *int64) ([]byte, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, &krama.Error{Op: g.op, Kind: krama.Invalid, Why: "a file cannot be opened", Err: err}
	}
	defer f.Close()
	b, err := readAll(g.op, f, *left)
	if err != nil {
		return nil, krama.Wrap(g.op+" "+quote(name), err)
	}
	*left -= int64(len(b))
	return b, nil
}

// comma finds what stands between the cells of a table: what gives its first row most of the columns that the
// specification knows, a comma where that does not tell.
func comma(b []byte, k Kind) (best rune, rest []byte) {
	if !bytes.ContainsRune(b, '\n') { // a Mac's, of long ago
		b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
	}
	if line, after, ok := bytes.Cut(b, []byte("\n")); ok && len(line) < 8 && bytes.HasPrefix(line, []byte("sep=")) {
		b = after // what Excel writes for itself
	}
	known, most := Columns(k), -1
	for _, c := range []rune{',', ';', '\t', '|'} {
		r := csv.NewReader(bytes.NewReader(b))
		r.Comma = c
		// What cannot be read so has no column that is known.
		header, _ := r.Read()
		n := 0
		for _, name := range header {
			if name = column(name, known); slices.Contains(known, name) || name == "id" {
				n++
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	return best, b
}

// column is the specification's name for a header, where it is one but for capitals and spaces around it.
func column(header string, known []string) string {
	folded := strings.ToLower(strings.TrimSpace(header))
	if slices.Contains(known, folded) || folded == "id" {
		return folded
	}
	return restore(header)
}

// table fills x from a file. A row that cannot be taken is named with its line and left out; an error is of the whole
// file.
func (g *gatherer) table(x *Table, b []byte, types map[string]string) error {
	k := kindOf(x.Name)
	between, b := comma(b, k)
	r := csv.NewReader(bytes.NewReader(b))
	// Rows of any length: one that is too short is named below, and does not end the file.
	r.Comma, r.FieldsPerRecord = between, -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return krama.E(g.op, krama.Invalid, quote(x.Name)+" has no header")
	} else if err != nil {
		return &krama.Error{Op: g.op, Kind: krama.Invalid, Why: quote(x.Name) + " is not CSV", Err: err}
	}
	for len(header) > 0 && strings.TrimSpace(header[len(header)-1]) == "" {
		header = header[:len(header)-1] // what is in such a column is said below
	}
	if len(header) > MaxColumns {
		return krama.E(g.op, krama.TooLarge, fmt.Sprintf("%s has more than %d columns", quote(x.Name), MaxColumns))
	}
	names, typ := make([]string, len(header)), make([]string, len(header))
	known := Columns(k)
	for i, h := range header {
		if names[i] = column(h, known); names[i] == "" {
			continue
		}
		x.Columns = append(x.Columns, names[i])
		if typ[i] = types[names[i]]; slices.Contains(known, names[i]) {
			typ[i] = x.columnType(names[i])
		}
	}
	// A service is known again by its id at the next import. Rows of other tables need not be.
	if k == Service && !slices.Contains(names, "id") {
		return krama.E(g.op, krama.Invalid, quote(x.Name)+" has no column named id")
	}
	seen := map[string]Object{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		// The CSV reader goes on behind it. It may have taken several lines for one cell, so the remark says from where
		// to where.
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			where := fmt.Sprintf("%s line %d", quote(x.Name), bad.StartLine)
			if bad.Line > bad.StartLine {
				where += fmt.Sprintf(" to %d", bad.Line)
			}
			g.remark(where, "a quotation mark that is not in a pair")
			continue
		} else if err != nil {
			return &krama.Error{Op: g.op, Kind: krama.Invalid, Why: quote(x.Name) + " is not CSV", Err: err}
		}
		if len(x.Rows) == MaxObjects {
			return krama.E(g.op, krama.TooLarge, fmt.Sprintf("more than %d rows", MaxObjects))
		}
		line, _ := r.FieldPos(0)
		where := fmt.Sprintf("%s line %d", quote(x.Name), line)
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue
		}
		// A cell is missing, and nothing tells which: each one after it would stand under a wrong column.
		if len(cells) < len(header) {
			g.remark(where, fmt.Sprintf("%d cells under %d columns", len(cells), len(header)))
			continue
		}
		row, stray := Object{}, false
		for i, cell := range cells {
			switch {
			case cell == "":
			case i >= len(header) || names[i] == "":
				if !stray {
					g.remark(where, "a cell under no column: "+quote(cell))
				}
				stray = true
			default:
				row[names[i]] = parseCell(cell, typ[i])
			}
		}
		g.row(x, row, where, fmt.Sprintf("line %d", line), seen)
	}
}

// row adds a row to its table, under its id or, where nothing can refer to it by one, under made.
func (g *gatherer) row(x *Table, row Object, where, made string, seen map[string]Object) {
	tidyIDs(row)
	id := idOf(row["id"])
	if id == "" && kindOf(x.Name) == Service {
		g.remark(where, "a service without an id could not be known again")
		return
	} else if id == "" {
		id = made
	}
	row["id"] = id
	// The first stays. One that says the same again is no loss.
	if was := seen[id]; was != nil {
		if !reflect.DeepEqual(was, row) {
			g.remark(where, "the id of another before it: "+quote(id))
		}
		return
	}
	seen[id] = row
	x.Rows = append(x.Rows, row)
}

// tidyIDs brings an object's id and the ids it refers to into one form: texts without spaces around them.
func tidyIDs(o Object) {
	for name, v := range o {
		if name == "id" || strings.HasSuffix(name, "_id") {
			if id := idOf(v); id != "" {
				o[name] = id
			}
		}
	}
}

// idOf takes a number for an id, as many databases have them.
func idOf(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// GatherZip reads the tables of a zip file: those of the only folder in it that holds any.
func GatherZip(r io.ReaderAt, size int64) (*Tables, []Remark, error) {
	g := &gatherer{op: "hsds.GatherZip"}
	z, err := openZip(g.op, r, size)
	if err != nil {
		return nil, nil, err
	}
	// The folders that hold tables, but for those in which a Mac packs notes about each file.
	at := map[string]bool{}
	for _, f := range z.File {
		dir, name := path.Split(path.Clean(f.Name))
		if strings.HasSuffix(strings.ToLower(name), ".csv") && !strings.HasPrefix(name, ".") &&
			!slices.Contains(strings.Split(dir, "/"), "__MACOSX") {
			at[path.Clean(dir)] = true
		}
	}
	top := "."
	for dir := range at {
		top = dir
	}
	// Nothing tells which of them is the directory.
	if len(at) > 1 {
		return nil, nil, krama.E(g.op, krama.Invalid, "more than one folder of the zip file holds tables")
	}
	for _, f := range z.File {
		if dir, name := path.Split(path.Clean(f.Name)); path.Clean(dir) != top && !strings.HasSuffix(f.Name, "/") &&
			!strings.HasPrefix(f.Name, "__MACOSX/") && name != "" {
			g.remark(quote(f.Name), "not beside the tables, and not read")
		}
	}
	folder, err := fs.Sub(z, top)
	if err != nil {
		return nil, nil, &krama.Error{Op: g.op, Kind: krama.Invalid, Why: "the folder cannot be read", Err: err}
	}
	t, err := g.folder(folder)
	return t, g.remarks, err
}

// openZip opens a zip file whose names all stay inside it.
func openZip(op string, r io.ReaderAt, size int64) (*zip.Reader, error) {
	if size > MaxBytes {
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d bytes", MaxBytes))
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &krama.Error{Op: op, Kind: krama.Invalid, Why: "not a zip file", Err: err}
	}
	if len(z.File) > 2*MaxFiles { // the files, and as many folders or notes beside them
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d files", 2*MaxFiles))
	}
	names := map[string]bool{}
	for _, f := range z.File {
		name := strings.TrimPrefix(strings.TrimSuffix(f.Name, "/"), "./")
		// Nothing is written under these names here. A file that has such a name was made to harm, and is not believed.
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`) {
			return nil, krama.E(op, krama.Invalid, "a file that would lie outside the folder: "+quote(f.Name))
		}
		// Of two files of one name one program reads the first and another the last.
		if names[name] {
			return nil, krama.E(op, krama.Invalid, "a file twice: "+quote(f.Name))
		}
		names[name] = true
	}
	return z, nil
}
