//go:build !ablate

package replica

// The rules that the protocol's safety rests on. Built with the tag ablate, each can be taken away, and the model's
// tests must then fail: that is how they are known to be able to.
const (
	keepUntilSettled = true // an item stays re-sendable until a signed close covers it
	rollBackTail     = true // what lies past a signed close is dropped
	persistFirst     = true // sealed bytes are durable before they are sent
	refusePastClose  = true // nothing past a signed close is taken
	verifyHeads      = true // the histories that others claim are compared with ours
	refuseCopies     = true // a device that finds what another copy of it wrote seals nothing more
	boundErasures    = true // one member's erasures beyond a few a day wait for a second word
	suspendCopies    = true // what a copied device writes is kept back until an admin decides
	oneStopsNobody   = true // one member's claims do not stop sending
)
