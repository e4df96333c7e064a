package replica

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// TestRoomsLookDown: no room builds one that stands above it. What it embeds is below it already.
func TestRoomsLookDown(t *testing.T) {
	floor := map[string]int{"ledger": 0, "outgoing": 0, "settings": 0, "alarmList": 0, "voids": 0, "stream": 0,
		"core": 1, "Reports": 2, "Field": 2, "Erasing": 2, "meeting": 3, "Admin": 4, "Newcomer": 5, "Replica": 6}
	all, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go")
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	methods := 0
	for _, f := range all["replica"].Files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			of := fn.Recv.List[0].Type
			if p, ok := of.(*ast.StarExpr); ok {
				of = p.X
			}
			room, ok := of.(*ast.Ident)
			here, known := 0, false
			if ok {
				here, known = floor[room.Name]
			}
			if !known {
				continue
			}
			methods++
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok {
					if id, ok := lit.Type.(*ast.Ident); ok && floor[id.Name] > here {
						t.Errorf("%s.%s builds %s, which stands above it", room.Name, fn.Name.Name, id.Name)
					}
				}
				return true
			})
		}
	}
	if methods < 250 {
		t.Errorf("%d methods only: the test proves nothing", methods)
	}
}
