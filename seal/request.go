package seal

import (
	"crypto/ed25519"
)

// SignRequest signs one request to the relay. principal is the stream, mailbox, drop or programme it acts on.
func SignRequest(key ed25519.PrivateKey, method, path string, principal [16]byte, body []byte, ms uint64,
	nonce [16]byte) []byte {
	return ed25519.Sign(key, requestMessage(method, path, principal, body, ms, nonce))
}

// CheckRequest verifies what SignRequest signed.
func CheckRequest(pub ed25519.PublicKey, method, path string, principal [16]byte, body []byte, ms uint64,
	nonce [16]byte, sig []byte) bool {
	return verify(pub, requestMessage(method, path, principal, body, ms, nonce), sig)
}

// requestMessage is what the first version's calls signed.
func requestMessage(method, path string, principal [16]byte, body []byte, ms uint64, nonce [16]byte) []byte {
	h := SHA256(body)
	m := Hash("req", []byte(method), []byte(path), principal[:], h[:], u64(ms), nonce[:])
	return m[:]
}

// DropID names an enrolment drop by the key that may write to it.
func DropID(pub ed25519.PublicKey) [16]byte {
	h := Hash("drop", pub)
	return [16]byte(h[:16])
}

// ProgrammeID names a programme at the relay by its first control key.
func ProgrammeID(control ed25519.PublicKey) [16]byte {
	h := Hash("programme", control)
	return [16]byte(h[:16])
}
