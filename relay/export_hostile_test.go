package relay

// PartsHeld is how many payloads have parts here.
func (r *Relay) PartsHeld() int { r.parts.mu.Lock(); defer r.parts.mu.Unlock(); return len(r.parts.of) }
