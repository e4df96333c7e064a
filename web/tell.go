package web

import (
	"context"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/replica"
)

// What colleagues are to hear of at once. A page calls one of these; the sync that carries what was done begins here,
// and none begins for what was refused.

// tell begins a sync after something was done, and returns what became of it.
func (s *session) tell(err error) error {
	if err == nil {
		s.BeginSync()
	}
	return err
}

// erase says that a person is to be erased: every hour in which colleagues do not know of it, they may write of her.
func (s *session) erase(k krama.CircleKind, who krama.SubjectID, why replica.ShredReason) error {
	return s.tell(s.rep.Erasing().Shred(k, who, why))
}

// takeBack says that an erasure that waits is not to be.
func (s *session) takeBack(k krama.CircleKind, who krama.SubjectID) error {
	return s.tell(s.rep.Erasing().TakeBack(k, who))
}

// decide keeps what was decided about a conversation: a reporter waits for an answer, a colleague for what she was
// given.
func (s *session) decide(ctx context.Context, t *casework.Thread, d office.Decision) error {
	return s.tell(s.office.Decide(ctx, t, d))
}

// cosign adds this admin's signature to what another has proposed.
func (s *session) cosign(ctx context.Context, letter [32]byte) error {
	return s.tell(s.rep.Admin().Cosign(ctx, letter))
}

// label gives the member of a device that was enrolled just now her label, if one was typed. The new device waits for
// its first sync, and for what this desk gives it then.
func (s *session) label(as inviteAs) error {
	if as.label == "" {
		return s.tell(nil)
	}
	return s.tell(office.WriteLabel(s.rep, as.member, as.label))
}

// acceptLoss keeps an admin's word that there will be no trustees, and that losing every device loses everything.
func (s *session) acceptLoss() error {
	return s.tell(s.write(krama.SubjectID{}, &krama.Record{Trust: &krama.Trust{Day: s.today()}}))
}
