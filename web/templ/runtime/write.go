package runtime

import "io"

// WriteString writes the string to the writer. The index is of use to templ's development mode only, which is left out.
func WriteString(w io.Writer, _ int, s string) error {
	_, err := io.WriteString(w, s)
	return err
}
