package hsds

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"krama"
)

// datapackage is the file beside the tables that describes them.
const datapackage = "datapackage.json"

// ReadTables reads the CSV files that lie at the top of a folder, and datapackage.json when there is one. Other files
// and folders are not looked at.
//
// An empty cell is an absent field. In a column that the specification calls a number (or, for somebody's own columns,
// that the datapackage calls a number, an integer, a boolean, an array or an object), a cell that is one is read as
// one; every other cell is text. An apostrophe that protects a formula is taken off (see WriteDir).
//
// It returns Invalid for what is not CSV or not UTF-8, a row that is longer or shorter than the header, a row without
// an id, an id twice in a table, a column twice, a name that is not a table's, or a file that is a link or a device;
// TooLarge beyond MaxBytes, MaxObjects, MaxColumns or MaxFiles; NotFound when there is no CSV file.
func ReadTables(folder fs.FS) (*Tables, error) {
	const op = "hsds.ReadTables"
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, &krama.Error{Op: op, Kind: krama.Invalid, Why: "the folder cannot be read", Err: err}
	}
	files := map[string][]byte{}
	// One bound for all files together, so that many small ones hold no more than one large one may.
	left := int64(MaxBytes)
	for _, e := range entries { // sorted by name
		if e.IsDir() || e.Name() != datapackage && !strings.HasSuffix(e.Name(), ".csv") {
			continue
		}
		// A link could lead out of the folder; a pipe or a device need never end.
		if !e.Type().IsRegular() {
			return nil, krama.E(op, krama.Invalid, "not a plain file: "+quote(e.Name()))
		}
		if len(files) == MaxFiles {
			return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d files", MaxFiles))
		}
		f, err := folder.Open(e.Name())
		if err != nil {
			return nil, &krama.Error{Op: op, Kind: krama.Invalid, Why: "a file cannot be opened", Err: err}
		}
		b, err := readAll(op, f, left)
		f.Close()
		if err != nil {
			return nil, krama.Wrap(op+" "+quote(e.Name()), err)
		}
		left -= int64(len(b))
		files[e.Name()] = b
	}
	t := &Tables{}
	if b, ok := files[datapackage]; ok {
		t.Datapackage = b
		delete(files, datapackage)
	}
	if len(files) == 0 {
		return nil, krama.E(op, krama.NotFound, "no CSV file at the top of the folder")
	}
	// The datapackage is heeded for columns of somebody's own. What the specification says of its columns it cannot
	// change.
	types := columnTypes(t.Datapackage)
	for _, e := range entries {
		b, ok := files[e.Name()]
		if !ok {
			continue
		}
		x := &Table{Name: strings.TrimSuffix(e.Name(), ".csv")}
		if err := x.parse(op, b, types[x.Name]); err != nil {
			return nil, err
		}
		t.Tables = append(t.Tables, x)
	}
	t.sort()
	if err := t.check(op); err != nil {
		return nil, err
	}
	return t, nil
}

// sort puts the specification's tables in its order and others after them.
func (t *Tables) sort() {
	rank := func(x *Table) int {
		if i := slices.IndexFunc(shapes, func(s *shape) bool { return s.table == x.Name }); i >= 0 {
			return i
		}
		return len(shapes)
	}
	slices.SortStableFunc(t.Tables, func(a, b *Table) int { return rank(a) - rank(b) })
}

// parse fills a table from a file. types are those of columns by the datapackage. The CSV reader refuses a row that is
// longer or shorter than the header.
func (x *Table) parse(op string, b []byte, types map[string]string) error {
	r := csv.NewReader(bytes.NewReader(b))
	bad := func(err error) error {
		return &krama.Error{Op: op, Kind: krama.Invalid, Why: quote(x.Name) + " is not CSV", Err: err}
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return krama.E(op, krama.Invalid, quote(x.Name)+" has no header")
	} else if err != nil {
		return bad(err)
	}
	if len(header) > MaxColumns {
		return krama.E(op, krama.TooLarge, fmt.Sprintf("%s has more than %d columns", quote(x.Name), MaxColumns))
	}
	for _, c := range header {
		// Names of columns are other people's text, too.
		x.Columns = append(x.Columns, restore(c))
	}
	typ := make([]string, len(header))
	for i, c := range x.Columns {
		if typ[i] = types[c]; slices.Contains(Columns(kindOf(x.Name)), c) {
			typ[i] = x.columnType(c)
		}
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bad(err)
		}
		// Already here: check, which looks at all tables, comes when all of them are in memory.
		if len(x.Rows) == MaxObjects {
			return krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d rows", MaxObjects))
		}
		row := Object{}
		for i, cell := range cells {
			if cell != "" {
				row[x.Columns[i]] = parseCell(cell, typ[i])
			}
		}
		x.Rows = append(x.Rows, row)
	}
}

// ReadZip reads a tabular package from a zip file of size bytes: its top, or its only folder when that is all its top
// holds. Beside what ReadTables refuses, it returns Invalid for what is not a zip file, and for a name in it that is
// absolute, leaves the folder, has a backslash or comes twice. It unpacks at most MaxBytes, whatever the zip file
// claims.
func ReadZip(r io.ReaderAt, size int64) (*Tables, error) {
	const op = "hsds.ReadZip"
	z, err := openZip(op, r, size)
	if err != nil {
		return nil, err
	}
	// A package may be packed with the folder around it.
	var folder fs.FS = z
	if top, err := fs.ReadDir(z, "."); err == nil && len(top) == 1 && top[0].IsDir() {
		if folder, err = fs.Sub(z, top[0].Name()); err != nil {
			return nil, &krama.Error{Op: op, Kind: krama.Invalid, Err: err}
		}
	}
	t, err := ReadTables(folder)
	return t, krama.Wrap(op, err)
}

// A file is one of a package's, ready to be written.
type file struct {
	name string
	data []byte
}

// files makes all files of a package before any is written: what is refused leaves nothing behind.
func (t *Tables) files(op string) (all []file, err error) {
	if err := t.check(op); err != nil {
		return nil, err
	}
	if t.Datapackage != nil {
		all = append(all, file{datapackage, t.Datapackage})
	}
	for _, x := range t.Tables {
		b, err := x.format(op)
		if err != nil {
			return nil, err
		}
		if !ascii(b) {
			b = append([]byte("\ufeff"), b...)
		}
		all = append(all, file{x.Name + ".csv", b})
	}
	sum := 0
	for _, f := range all {
		sum += len(f.data)
	}
	if sum > MaxBytes {
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d bytes", MaxBytes))
	}
	if len(all) > MaxFiles {
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d files", MaxFiles))
	}
	return all, nil
}

// ascii reports whether every program reads a text alike: Excel takes a CSV file for one of an older alphabet unless a
// byte order mark says that it is UTF-8. Files that need no mark have none, for programs that know nothing of it.
func ascii(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x80 })
}

// format is a table as CSV: the header, then a line a row, an empty cell for what a row lacks.
func (x *Table) format(op string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	columns := x.columns()
	cells := make([]string, len(columns))
	for i, c := range columns {
		// A column of somebody's own can be named like a formula.
		cells[i] = neutralise(c)
	}
	w.Write(cells)
	for _, r := range x.Rows {
		for i, c := range columns {
			var err error
			if cells[i], err = formatCell(op, r[c]); err != nil {
				return nil, err
			}
		}
		w.Write(cells)
	}
	w.Flush() // into memory: it cannot fail
	return b.Bytes(), nil
}

// WriteDir writes the tables into a new or empty folder, which it makes; a table with letters beyond ASCII begins with
// a byte order mark. It returns Conflict when files are there: rows of an older export beside a newer one would be read
// as one directory.
//
// A text that a spreadsheet would run as a formula is written with an apostrophe in front, which ReadTables takes off;
// a text of only digits, spaces and + - . ( ), as a phone number, is left alone.
//
// CSV has no form for these, and they come back changed:
//   - null and the empty text come back as absent;
//   - in a column of the specification, a number in a text's column comes back as text, and a text that looks like a
//     number in a number's column comes back as a number;
//   - true, false, arrays and objects come back as their JSON text, but for a column of somebody's own all of whose
//     values are of one type, which Describe writes down;
//   - a number in a column of somebody's own comes back as text unless all the column's values are numbers;
//   - CR LF inside a text comes back as LF.
//
// Document holds all of these.
func (t *Tables) WriteDir(dir string) error {
	const op = "hsds.WriteDir"
	all, err := t.files(op)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return krama.Wrap(op, err)
	}
	if there, err := os.ReadDir(dir); err != nil {
		return krama.Wrap(op, err)
	} else if len(there) > 0 {
		return krama.E(op, krama.Conflict, "the folder is not empty")
	}
	// For its owner alone: a file for partners has numbers that are not public.
	for _, f := range all {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return krama.Wrap(op, err)
		}
	}
	return nil
}

// WriteZip writes what WriteDir does as a zip file: the same bytes for the same tables.
func (t *Tables) WriteZip(w io.Writer) error {
	const op = "hsds.WriteZip"
	all, err := t.files(op)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, f := range all {
		// Create gives no time. With one, the same tables would be other bytes each time.
		p, err := z.Create(f.name)
		if err != nil {
			return krama.Wrap(op, err)
		}
		if _, err := p.Write(f.data); err != nil {
			return krama.Wrap(op, err)
		}
	}
	return krama.Wrap(op, z.Close())
}
