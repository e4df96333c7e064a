package web

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"krama"
	"krama/directory"
	"krama/locale"
	"krama/replica"
)

// doorTroubleKey names the value that says why the public pages could not be published, or "". It holds no words: they are found when a
// page is shown, in its reader's language.
const doorTroubleKey = "door.trouble"

// troubleOf is the value for what kept a door from being published, "" for what trying again mends.
func troubleOf(err error) string {
	var part *directory.PartError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &part) && part.Need != 0:
		return "need " + strconv.Itoa(int(part.Need))
	case errors.As(err, &part) && part.Listing != (krama.ListingID{}):
		return "listing " + hex.EncodeToString(part.Listing[:])
	case errors.As(err, &part) && part.Topic != "":
		return "topic " + part.Topic
	case krama.KindOf(err) == krama.TooLarge:
		return "all"
	case krama.KindOf(err) == krama.Invalid, krama.KindOf(err) == krama.NotYet:
		return "refused"
	}
	return ""
}

// doorNotices are the sentences about the public pages that stand on every page of the desk until what they say is mended.
func (s *Server) doorNotices(rep *replica.Replica, p *locale.Printer) (out []string) {
	what, of, _ := strings.Cut(rep.Value(doorTroubleKey), " ")
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
			why = p.T("doorDesk.largeListing", "name", s.listingName(krama.ListingID(b), p.Lang))
		}
	case "topic":
		why = p.T("doorDesk.largeTopic", "title", s.rightsTitle(of, p.Lang))
	case "all":
		why = p.T("doorDesk.largeAll")
	case "refused":
		why = p.T("doorDesk.refused")
	}
	if why != "" {
		out = append(out, p.T("doorDesk.notPublished"), why)
	}
	if n := s.siteNotice(rep, p); n != "" {
		out = append(out, n)
	}
	return out
}
