// Command compact makes generated pages small. The generator asks after every write whether it failed; a Buffer keeps
// the first error and tells it when it is released, so that need not be asked two thousand times. What every page does
// before its first word stands once, in templruntime.Page and Part. It changes the files named on the command line, and
// nothing in a file that it has changed already.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"regexp"
)

// fails is what the generator asks after each write.
const fails = `\n\s*if templ_7745c5c3_Err != nil \{\n\s*return templ_7745c5c3_Err\n\s*\}`

// failsAt is the same for an expression, with its place in the source.
const failsAt = `\n\s*if templ_7745c5c3_Err != nil \{\n\s*return templ\.Error\{[^\n]*\}\n\s*\}`

// begins is how a page begins, and a part that is given to another page; childless is what only pages have.
const (
	begins = `templruntime\.GeneratedTemplate\(func\(templ_7745c5c3_Input templruntime\.GeneratedComponentInput\) ` +
		`\(templ_7745c5c3_Err error\) \{
\s*templ_7745c5c3_W, ctx := templ_7745c5c3_Input\.Writer, templ_7745c5c3_Input\.Context
(?:\s*if templ_7745c5c3_CtxErr := ctx\.Err\(\); templ_7745c5c3_CtxErr != nil \{
\s*return templ_7745c5c3_CtxErr
\s*\}
)?\s*templ_7745c5c3_Buffer, templ_7745c5c3_IsBuffer := templruntime\.GetBuffer\(templ_7745c5c3_W\)
\s*if !templ_7745c5c3_IsBuffer \{
\s*defer func\(\) \{
\s*templ_7745c5c3_BufErr := templruntime\.ReleaseBuffer\(templ_7745c5c3_Buffer\)
\s*if templ_7745c5c3_Err == nil \{
\s*templ_7745c5c3_Err = templ_7745c5c3_BufErr
\s*\}
\s*\}\(\)
\s*\}
\s*ctx = templ\.InitializeContext\(ctx\)`
	childless = `
\s*(templ_7745c5c3_Var\d+) := templ\.GetChildren\(ctx\)
\s*if templ_7745c5c3_Var\d+ == nil \{
\s*templ_7745c5c3_Var\d+ = templ\.NopComponent
\s*\}
\s*ctx = templ\.ClearChildren\(ctx\)`
)

// rules are taken in this order: how a page begins holds how a part begins, so pages must go first.
var rules = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(begins + childless), `templruntime.Page(func(ctx templruntime.Context, ` +
		`templ_7745c5c3_Buffer *templruntime.Buffer, $1 templ.Component) (templ_7745c5c3_Err error) {`},
	{regexp.MustCompile(begins), `templruntime.Part(func(ctx templruntime.Context, ` +
		`templ_7745c5c3_Buffer *templruntime.Buffer) (templ_7745c5c3_Err error) {`},
	{regexp.MustCompile(`templ_7745c5c3_Err = templruntime\.WriteString\(templ_7745c5c3_Buffer, \d+, (.*)\)` + fails),
		`templ_7745c5c3_Buffer.Put($1)`},
	{regexp.MustCompile(`var templ_7745c5c3_Var\d+ string\n\s*templ_7745c5c3_Var\d+, templ_7745c5c3_Err = ` +
		`templ\.JoinStringErrs\((.*)\)` + failsAt + `\n\s*_, templ_7745c5c3_Err = templ_7745c5c3_Buffer\.WriteString\(` +
		`templ\.EscapeString\(templ_7745c5c3_Var\d+\)\)` + fails), `templ_7745c5c3_Buffer.Text($1)`},
	{regexp.MustCompile(`var templ_7745c5c3_Var\d+ templ\.SafeURL\n\s*templ_7745c5c3_Var\d+, templ_7745c5c3_Err = ` +
		`templ\.JoinURLErrs\((.*)\)` + failsAt + `\n\s*_, templ_7745c5c3_Err = templ_7745c5c3_Buffer\.WriteString\(` +
		`templ\.EscapeString\(templ_7745c5c3_Var\d+\)\)` + fails), `templ_7745c5c3_Buffer.URL($1)`},
	{regexp.MustCompile(`templ_7745c5c3_Err = (.*)\.Render\((ctx|templ\.WithChildren\(ctx, templ_7745c5c3_Var\d+\)), ` +
		`templ_7745c5c3_Buffer\)` + fails), `templ_7745c5c3_Buffer.Show($2, $1)`},
}

func main() {
	for _, name := range os.Args[1:] {
		if err := compact(name); err != nil {
			fmt.Fprintln(os.Stderr, "compact:", err)
			os.Exit(1)
		}
	}
}

// compact changes one file, or says which form of the generator's it does not know. In a file that was changed already
// the rules find nothing.
func compact(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, r := range rules {
		b = r.from.ReplaceAll(b, []byte(r.to))
	}
	// A newer generator may write another form. It would compile all the same, and nobody would see that the pages
	// grew.
	for _, left := range []string{"GeneratedTemplate(", "templruntime.WriteString", "JoinStringErrs", "JoinURLErrs"} {
		if bytes.Contains(b, []byte(left)) {
			return fmt.Errorf("%s: the generator writes %s as this command does not know it", name, left)
		}
	}
	// Formatting reads it as Go: a replacement that broke a file is told here.
	if b, err = format.Source(b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, b, 0o644)
}
