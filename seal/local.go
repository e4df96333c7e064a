package seal

// Local seals what a device keeps for itself under its vault key: one key a message, from a fresh salt.
type Local struct{ Key [32]byte }

// Seal seals one message under salt, which must never repeat.
func (l Local) Seal(salt [32]byte, pt, ad []byte) []byte {
	return sealOnce(nil, Derive(l.Key[:], salt[:], 32, "local"), pt, enc("local", ad))
}

// Open opens what Seal sealed with the same salt and ad.
func (l Local) Open(salt [32]byte, ct, ad []byte) ([]byte, error) {
	return openOnce(Derive(l.Key[:], salt[:], 32, "local"), ct, enc("local", ad))
}

// SealOverhead is how much longer a sealed message is.
const SealOverhead = 16
