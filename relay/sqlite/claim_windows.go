package sqlite

import "os"

// noFollow is nothing here: making a link needs rights that would let its maker do worse.
const noFollow = 0

// held takes no lock here. Two copies to one place at once are told apart by the file's name alone.
func held(*os.File) bool { return false }
