package web

import (
	"encoding/hex"
	"strconv"
	"strings"

	"krama"
	"krama/locale"
	"krama/office"
	"krama/replica"
)

// doorNotices are the sentences about the public pages that stand on every page of the desk until what they say is
// mended.
func (s *session) doorNotices(rep *replica.Replica, p *locale.Printer) (out []string) {
	// The value names a part and holds no words, so a listing that was renamed since is told by its new name.
	what, of, _ := strings.Cut(rep.Value(office.DoorTrouble), " ")
	var why string
	switch what {
	case "need":
		for _, n := range krama.Needs {
			if strconv.Itoa(int(n.Code)) == of {
				why = p.T("doorDesk.largeNeed", "need", p.T("need."+n.Key))
			}
		}
	case "listing":
		if b, err := hex.DecodeString(of); err == nil && len(b) == len(krama.ListingID{}) {
			why = p.T("doorDesk.largeListing", "name", listingName(s.state.Listing(krama.ListingID(b)), p.Lang))
		}
	case "topic":
		why = p.T("doorDesk.largeTopic", "title", s.rightsTitle(of, p.Lang))
	case "all":
		why = p.T("doorDesk.largeAll")
	case "refused":
		why = p.T("doorDesk.refused")
	}
	// Without trouble, or with one that this version does not know, nothing is said.
	if why != "" {
		out = append(out, p.T("doorDesk.notPublished"), why)
	}
	if n := s.siteNotice(rep, p); n != "" {
		out = append(out, n)
	}
	return out
}
