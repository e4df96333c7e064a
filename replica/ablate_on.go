//go:build ablate

package replica

import "os"

// rule reports whether a rule holds in this run of the ablation: all but the one that the environment names.
func rule(name string) bool { return os.Getenv("KRAMA_ABLATE") != name }

var (
	keepUntilSettled = rule("settled")
	rollBackTail     = rule("tail")
	persistFirst     = rule("persist")
	refusePastClose  = rule("close")
	verifyHeads      = rule("heads")
	refuseCopies     = rule("copies")
	boundErasures    = rule("erasures")
	suspendCopies    = rule("suspend")
	oneStopsNobody   = rule("one")
)
