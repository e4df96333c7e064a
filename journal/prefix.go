package journal

// Prefix is a part of a folder: all its names begin with prefix. Several devices can live in one folder and see nothing
// of each other.
func Prefix(d Dir, prefix string) Dir { return prefixed{d, prefix} }

type prefixed struct {
	Dir
	prefix string
}

func (p prefixed) Open(name string) (File, error) { return p.Dir.Open(p.prefix + name) }
func (p prefixed) Remove(name string) error       { return p.Dir.Remove(p.prefix + name) }
