package web

import "embed"

// Static holds the files pages refer to, as they stand in the tree.
//
//go:embed static
var Static embed.FS
