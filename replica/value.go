package replica

// The values that a host keeps on a device.

// Value returns a setting of the device, "" when there is none.
func (r *core) Value(s Setting) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.values.of(s)
}

// SetValue keeps a setting of the device, durable when it returns.
func (r *core) SetValue(s Setting, value string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.values.of(s) == value {
		return nil
	}
	return r.set(s, value)
}

// set makes a setting durable and remembers it.
func (r *core) set(s Setting, value string) error {
	if err := r.commit(s.entry(value)); err != nil {
		return err
	}
	r.led.values.put(s, value)
	return nil
}
