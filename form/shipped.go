package form

import (
	"embed"
	"io/fs"

	"krama"
	"krama/locale"
)

//go:embed data/lists.json data/forms/*.json
var files embed.FS

// Shipped reads the forms that this version comes with. Their words stand in the catalogues.
func Shipped() (*Set, error) {
	lists, err := files.ReadFile("data/lists.json")
	if err != nil {
		return nil, krama.Wrap("form.Shipped", err)
	}
	forms := map[string][]byte{}
	names, err := fs.Glob(files, "data/forms/*.json")
	for _, name := range names {
		b, readErr := files.ReadFile(name)
		if readErr != nil {
			return nil, krama.Wrap("form.Shipped", readErr)
		}
		forms[name] = b
	}
	if err != nil {
		return nil, krama.Wrap("form.Shipped", err)
	}
	var all []locale.Catalogue
	for _, l := range locale.Languages {
		c, err := locale.Load(l.Code)
		if err != nil {
			return nil, krama.Wrap("form.Shipped", err)
		}
		all = append(all, c)
	}
	return Read(map[string][]byte{"data/lists.json": lists}, forms, func(key string) bool {
		for _, c := range all {
			if c[key].Other == "" {
				return false
			}
		}
		return true
	})
}
