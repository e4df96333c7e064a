package replica

import (
	"strings"

	"krama"
	"krama/seal"
)

// Safety returns this device's digits, to be read aloud when two screens cannot be scanned. They name the organisation
// too, so there are none before its code is known.
func (r *Replica) Safety() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.dev == nil {
		return ""
	}
	org := krama.OrgID{}
	switch {
	case r.led.roster != nil:
		org = r.led.roster.Org
	case r.led.scan != nil:
		org = r.led.scan.Org
	default:
		return ""
	}
	return seal.SafetyDigits(org, r.led.dev.SigPub(), seal.KemHash(r.led.kems()[0].PublicKey().Bytes()))
}

// Expect tells a new device the last groups of the office's digits, as a voice read them. Join then refuses an office
// with others.
func (r Newcomer) Expect(groups string) error { return r.SetValue(expected, digitsOf(groups)) }

// expected is what was typed of the office's digits, until the device has joined.
var expected = NewSetting(".expect", OfNobody)

// digitsOf keeps the digits of what was typed.
func digitsOf(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, krama.Plain(s))
}

// spoken is how many digits the other side must type: the last two groups of five.
const spoken = 10

// Spoken checks the last groups of a new device's digits, as a voice read them, and makes the invitation one by voice.
// Other digits are Tampered: the code was changed on the way.
func (inv *Invitation) Spoken(groups string) error {
	all := digitsOf(seal.SafetyDigits(inv.Code.Org, inv.Request.SigPub, seal.KemHash(inv.Request.KemPub)))
	if got := digitsOf(groups); len(got) != spoken || got != all[len(all)-spoken:] {
		return krama.E("replica.Spoken", krama.Tampered, "the digits are not those of the device whose code was given")
	}
	inv.ByVoice = true
	return nil
}
