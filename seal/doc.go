// Package seal is the sealed protocol krama/1: keys, envelopes, epochs, roster, wraps, chains, vault and enrolment, as
// pure functions over bytes. The clock and randomness are parameters. doc/format.md gives the bytes.
//
// No key is ever accepted because a relay delivered it: public keys enter through a signed, chained roster whose root
// was scanned from a screen, symmetric keys only if they match a commitment in that roster.
package seal
