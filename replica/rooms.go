package replica

import "context"

// The rooms of a device, from the bottom up. Each is a type, and one that is named later may use those before it, never
// the other way round. A selector cannot reach a later room; that none is built by hand in an earlier one is tested
// (TestRoomsLookDown).
//
//	ledger     what the device believes: takes no lock, opens no file, asks no relay; it feeds the host
//	core       the device's memory and files, its lock, and one call to the relay
//	Reports    what the public door leaves at the relay, and the answers
//	Field      the vault's locks and the peppers behind them
//	Erasing    who is erased, who waits for it, and how far it has come
//	meeting    a sync: reading and sending streams, keys and letters
//	Admin      the ceremonies of those who run the programme
//	Newcomer   a device before it belongs: enrolment and recovery
//	Replica    what the host of a device holds
//
// Every room between core and Replica is one pointer and is made where it is needed: it has no state of its own, so
// that nothing has to be kept in step. Replica is core itself, as its host sees it.

// meeting is this device meeting the relay. No method holds mu while it waits for the relay; speaking, rotating and
// syncing may be held then. Those that are called with mu held say so.
type meeting struct{ *core }

// Admin is the ceremonies: founding, enrolling and removing, keys and their trustees, what a lone admin announces, what
// two admins propose and agree on, and repairing a relay that was restored. A device whose member is no admin may call
// them: the roster refuses what she may not say, and the relay what she may not do.
type Admin struct{ meeting }

// Newcomer is a device that does not belong to a programme yet, or not any more: it shows its code, is accepted, joins,
// or brings a programme back with its trustees' cards.
type Newcomer struct{ meeting }

// Reports is what the public door leaves at the relay for this programme, the answers to it, and the slips.
type Reports struct{ *core }

// Field is how the device's vault is locked, and what the relay holds for that.
type Field struct{ *core }

// meeting is this device's room for its syncs.
func (r *Replica) meeting() meeting { return meeting{&r.core} }

// Erasing is erasing people: asking for it, taking it back, and how far each erasure has come.
type Erasing struct{ *core }

// Erasing returns the erasures that this device knows of.
func (r *Replica) Erasing() Erasing { return Erasing{&r.core} }

// Admin returns the ceremonies of this device.
func (r *Replica) Admin() Admin { return Admin{r.meeting()} }

// Newcomer returns what this device does before it belongs to a programme.
func (r *Replica) Newcomer() Newcomer { return Newcomer{r.meeting()} }

// Reports returns what this device does with reports and slips.
func (r *Replica) Reports() Reports { return Reports{&r.core} }

// Field returns the locks of this device.
func (r *Replica) Field() Field { return Field{&r.core} }

// Sync meets the relay: reads the roster, fetches keys, reads every circle to its head, sends what is typed, and reads
// it back. What was sent counts as confirmed only then. progress may be nil; it may be called with the device's lock
// held, and asks the device nothing.
func (r *Replica) Sync(ctx context.Context, progress func(Progress)) error {
	return r.meeting().sync(ctx, progress)
}
