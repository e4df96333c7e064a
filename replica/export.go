package replica

import (
	"context"

	"krama"
	"krama/seal"
)

// AskExport asks for leave to take the whole programme out, and reports whether there is one. Where it must be waited
// for, for a second admin or a day, way says for which; what is announced already stays as it is. It needs the relay
// unless there is leave.
func (r Admin) AskExport(ctx context.Context) (may bool, way seal.Way, err error) {
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		return false, 0, krama.E("replica.AskExport", krama.NotAllowed, "an admin's device must")
	}
	leave := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.led.roster != nil && r.led.roster.MayExport(r.led.dev.ID(), r.Now())
	}
	if leave() {
		return true, seal.AtOnce, nil
	}
	// A second admin may have signed meanwhile, on another desk.
	if err := r.sync(ctx, nil); err != nil {
		return false, 0, err
	}
	if err := r.Maintain(ctx); err != nil { // says what was announced and whose day has come
		return false, 0, err
	}
	if leave() {
		return true, seal.AtOnce, nil
	}
	way, err = r.propose(ctx, func() (bool, seal.Deed) {
		return !r.led.roster.MayExport(r.led.dev.ID(), r.Now()), &seal.Export{}
	})
	if err != nil {
		return false, way, krama.Wrap("replica.AskExport", err)
	}
	return leave(), way, nil
}
