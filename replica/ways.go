package replica

import (
	"context"
	"strconv"
	"time"

	"krama"
)

// What lies in a mailbox ends after 90 days: the keys of circle 0's epochs that were opened while a device was away
// would be gone before it comes back, and with them its way to everything else, and what is typed on it. An admin's
// desk gives who is away the whole way to the roster anew each month, which holds every secret up to then.

// awayAfter is after how long without a sign a device counts as away, and how often it gets the way then.
const awayAfter = 30 * 24 * time.Hour

// ways is when that was last looked at, in milliseconds.
var ways = NewSetting(".ways", OfNobody)

// keepWays gives devices that are away the way to the roster.
func (r Admin) keepWays(ctx context.Context) error {
	now := r.Now()
	if err := r.hold(); err != nil {
		return err
	}
	ms, _ := strconv.ParseInt(r.led.values.of(ways), 10, 64)
	if since := now.Sub(time.UnixMilli(ms)); since >= 0 && since < awayAfter {
		r.mu.Unlock()
		return nil
	}
	var away []krama.DeviceID
	for id, d := range r.led.roster.Devices {
		// A new KEM key is a sign too: a device that only reads gives one each month (rekey).
		sign := time.UnixMilli(int64(max(r.led.seen[id], d.KemMS)))
		if d.Removed == 0 && id != r.led.dev.ID() && now.Sub(sign) >= awayAfter {
			away = append(away, id)
		}
	}
	r.mu.Unlock()
	for _, id := range away {
		if err := r.putBootstrap(ctx, id); err != nil && krama.KindOf(err) != krama.Full {
			return err
		}
	}
	return r.SetValue(ways, strconv.FormatInt(now.UnixMilli(), 10))
}
