package seal

import (
	"slices"
	"time"

	"krama"
)

// Exports is the last Export of a roster.
type Exports struct {
	Devices []krama.DeviceID // the author's and the cosigner's
	TimeMS  uint64           // by the author's clock
}

// ExportFor is how long after it was agreed an export may be made.
const ExportFor = 7 * 24 * time.Hour

// MayExport reports whether a device may take everything out now, by its own clock.
func (r *Roster) MayExport(d krama.DeviceID, now time.Time) bool {
	return r.Exports != nil && r.Admin(d) && slices.Contains(r.Exports.Devices, d) &&
		now.Sub(time.UnixMilli(int64(r.Exports.TimeMS))).Abs() < ExportFor
}
