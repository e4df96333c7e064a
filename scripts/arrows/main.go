// Command arrows counts, inside each package, how often a file uses what a file above it declares. An arrow from file A
// to file B is any use in A of a function, method, type, variable or constant of B; fields are not counted. The files
// of a package are put into the order that leaves fewest arrows running back up, as far as a simple search finds it:
// what it prints is therefore at least what the best order has. A package whose arrows mostly run down can be read from
// its ground, one file after the other.
//
//	go run ./scripts/arrows                 every package with arrows, and fails above the bound
//	go run ./scripts/arrows -v ./replica    the order, from the ground up, and what runs back up
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// bound is how large a share of a package's arrows may run back up, in percent; few is how many arrows a package needs
// to be judged: two of five say nothing.
const bound, few = 15, 20

func main() {
	verbose := flag.Bool("v", false, "print the order, and what runs back up")
	flag.Parse()
	places := flag.Args()
	if len(places) == 0 {
		places = []string{"./..."}
	}
	all, err := measure(places...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "arrows:", err)
		os.Exit(1)
	}
	bad := false
	for _, h := range all {
		fmt.Printf("%s: %d files, %d arrows, %d back up, %d %%\n", h.path, len(h.order), len(h.arrows), h.up, h.share())
		if *verbose {
			fmt.Println("  ", strings.Join(h.order, " "))
			for _, a := range slices.SortedFunc(maps.Keys(h.arrows), arrow.compare) {
				if slices.Index(h.order, a.from) < slices.Index(h.order, a.to) {
					fmt.Println("  ", a.from, "uses of", a.to, strings.Join(slices.Sorted(maps.Keys(h.arrows[a])), " "))
				}
			}
		}
		if !h.fits() {
			bad = true
			fmt.Fprintf(os.Stderr, "arrows: in %s %d of %d run back up, more than %d %%\n", h.path, h.up, len(h.arrows),
				bound)
		}
	}
	if bad {
		os.Exit(1)
	}
}

// arrow leads from a file to one whose declarations it uses.
type arrow struct{ from, to string }

func (a arrow) compare(b arrow) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
}

// house is a package as its files use each other.
type house struct {
	path   string
	arrows map[arrow]map[string]bool // with the names that are used
	order  []string                  // from the ground up
	up     int                       // arrows that run back up in this order
}

func (h *house) share() int { return 100 * h.up / max(1, len(h.arrows)) }

func (h *house) fits() bool { return len(h.arrows) < few || 100*h.up <= bound*len(h.arrows) }

// built is what go list says of a package.
type built struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// measure looks at the packages of some patterns, those with arrows, as this machine builds them.
func measure(places ...string) (out []*house, err error) {
	list := exec.Command("go", append([]string{"list", "-export", "-deps",
		"-json=ImportPath,Dir,Export,GoFiles,DepOnly"}, places...)...)
	list.Stderr = os.Stderr
	b, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var todo []built
	exports := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(b))); d.More(); {
		var p built
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			todo = append(todo, p)
		}
	}
	for _, p := range todo {
		h, err := look(p, exports)
		if err != nil {
			return nil, err
		}
		if len(h.arrows) > 0 {
			h.sort()
			out = append(out, h)
		}
	}
	return out, nil
}

// look finds a package's arrows.
func look(p built, exports map[string]string) (*house, error) {
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := conf.Check(p.ImportPath, set, files, &info)
	if err != nil {
		return nil, err
	}
	h := &house{path: p.ImportPath, arrows: map[arrow]map[string]bool{}}
	for id, o := range info.Uses {
		f, method := o.(*types.Func)
		method = method && f.Signature().Recv() != nil
		// What stands in a function, and fields, belong to whoever declares them.
		if o.Pkg() != pkg || o.Parent() != pkg.Scope() && !method {
			continue
		}
		a := arrow{filepath.Base(set.Position(id.Pos()).Filename), filepath.Base(set.Position(o.Pos()).Filename)}
		if a.from == a.to {
			continue
		}
		if h.arrows[a] == nil {
			h.arrows[a] = map[string]bool{}
		}
		h.arrows[a][o.Name()] = true
	}
	return h, nil
}

// sort finds an order: first what uses least of what is left, then each file where it costs least, as long as that
// helps.
func (h *house) sort() {
	left := map[string]bool{}
	for a := range h.arrows {
		left[a.from], left[a.to] = true, true
	}
	for len(left) > 0 {
		weight := func(f string) (n int) {
			for a := range h.arrows {
				switch {
				case a.from == f && left[a.to]:
					n++
				case a.to == f && left[a.from]:
					n--
				}
			}
			return n
		}
		next := slices.MinFunc(slices.Sorted(maps.Keys(left)), func(a, b string) int {
			return cmp.Compare(weight(a), weight(b))
		})
		h.order = append(h.order, next)
		delete(left, next)
	}
	h.up = h.cost(h.order)
	for better := true; better; {
		better = false
		for _, f := range slices.Clone(h.order) {
			rest := slices.DeleteFunc(slices.Clone(h.order), func(o string) bool { return o == f })
			for i := range len(rest) + 1 {
				if try := slices.Insert(slices.Clone(rest), i, f); h.cost(try) < h.up {
					h.order, h.up, better = try, h.cost(try), true
				}
			}
		}
	}
}

// cost counts the arrows that run back up in an order.
func (h *house) cost(order []string) (n int) {
	at := map[string]int{}
	for i, f := range order {
		at[f] = i
	}
	for a := range h.arrows {
		if at[a.from] < at[a.to] {
			n++
		}
	}
	return n
}
