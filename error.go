package krama

import (
	"errors"
	"strings"
)

// Kind is the class of an error: what a caller can do about it, and which sentence a person reads.
type Kind uint8

// The kinds. A kind is never split by cause; the cause travels in Error.Err.
const (
	Internal      Kind = iota // a fault of ours
	Invalid                   // the input breaks a rule that its author can mend
	NotFound                  // no such thing here
	NotAllowed                // the caller may not do this
	Conflict                  // somebody else was first; read again and decide again
	CannotDecrypt             // the key is wrong or missing
	Tampered                  // bytes are not what their author wrote
	Offline                   // the other side did not answer; trying again is safe
	TooLarge                  // a bound on size was crossed
	TooMany                   // a bound on rate was crossed; wait and try again
	Full                      // no room left to store
	NotYet                    // a form of a later version, understood and refused
)

var kindNames = [...]string{"internal", "invalid", "not found", "not allowed", "conflict", "cannot decrypt", "tampered",
	"offline", "too large", "too many", "full", "not yet"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

// Error is a failed operation. It never carries personal data, keys or record content.
type Error struct {
	Op   string // what was attempted, as "room.Operation"
	Kind Kind
	Why  string // one plain clause, or ""
	Err  error  // cause, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(e.Kind.String())
	if e.Why != "" {
		b.WriteString(": ")
		b.WriteString(e.Why)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's Kind.
func (e *Error) Is(target error) bool { k, ok := target.(Kind); return ok && k == e.Kind }

// E makes an Error.
func E(op string, k Kind, why string) error { return &Error{Op: op, Kind: k, Why: why} }

// Wrap gives err an operation and keeps its kind. It returns nil for a nil err.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Kind: KindOf(err), Err: err}
}

// KindOf returns the kind of err, Internal when it carries none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}

// statuses is the one table from kinds to HTTP.
var statuses = map[Kind]int{Internal: 500, Invalid: 400, NotFound: 404, NotAllowed: 401, Conflict: 409,
	CannotDecrypt: 422,
	Tampered:      422, Offline: 503, TooLarge: 413, TooMany: 429, Full: 507, NotYet: 501}

// Status returns the HTTP status of an error.
func Status(err error) int { return statuses[KindOf(err)] }

// KindOfStatus returns the kind a relay's HTTP status stands for; what no relay sends is Offline.
func KindOfStatus(status int) Kind {
	switch status {
	case 400:
		return Invalid
	case 401:
		return NotAllowed
	case 404:
		return NotFound
	case 409:
		return Conflict
	case 413:
		return TooLarge
	case 429:
		return TooMany
	case 500:
		return Internal
	case 507:
		return Full
	}
	return Offline
}
