package web

import (
	"krama/locale"
	"krama/office"
	"krama/replica"
)

// siteAwayDays is for how long the site may be away before the desk says so.
const siteAwayDays = 3

// siteNotice is the sentence about what the public site gives out, or "".
func (s *session) siteNotice(rep *replica.Replica, p *locale.Printer) string {
	if s.office == nil || rep.Value(office.SiteAt) == "" { // a request that began while the device was locked
		return ""
	}
	// A site that gives out another key is told at once. One that is away may have a bad day.
	switch last, what, since := s.office.SiteSeen(); {
	case what == office.SiteDiffers:
		return p.T("doorDesk.siteDiffers", "date", date(since))
	case what == office.SiteAway && last >= since+siteAwayDays:
		return p.T("doorDesk.siteAway", "date", date(since))
	}
	return ""
}

// siteState is what the last look found, as the door's page says it.
func (s *session) siteState(rep *replica.Replica) (key, day string) {
	// Nothing is said before the first look, or where no address is kept.
	last, what, _ := s.office.SiteSeen()
	if rep.Value(office.SiteAt) == "" || what == "" {
		return "", ""
	}
	return map[string]string{office.SiteRight: "doorDesk.foundRight", office.SiteDiffers: "doorDesk.foundOther",
		office.SiteAway: "doorDesk.foundAway"}[what], date(last)
}
