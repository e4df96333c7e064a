package exchange

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"krama"
)

// written says where each part of a record is in an archive: the kind of its lines.
var written = map[string]string{"Person": "person", "Contact": "contact", "Consent": "consent", "Amend": "dispute",
	"Staff": "staff", "Listing": "listing", "Guarded": "guarded",
	"Check": "check", "RightsText": "rights", "Report": "report", "Act": "act", "Referral": "referral",
	"Outcome": "referral", "Incident": "incident", "Audit": "audit"}

// leftOut says why others are not.
var leftOut = map[string]string{
	"Circle":   "says which circle a key is of",
	"Trust":    "recovery belongs to the programme's devices",
	"Intake":   "its secret opens what is reported",
	"Released": "counts before anything was hidden: what left lies in the reports themselves",
	"Taken":    "hashes of reports that are erased or never opened: nothing of them may be told again",
}

// secrets are drawn into the records of withDoor and must be nowhere in an archive.
var secrets = map[string][]byte{"an intake's seed": secret(1, 32), "the key that fetches answers": secret(2, 32),
	"the key answers are sealed to": secret(3, 1216),
	"a mailbox":                     secret(4, 16), "an erased report's hash": secret(7, 16),
	"an intake's id": secret(5, 16)}

func secret(n byte, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = n<<5 ^ byte(i*7+3)
	}
	return b
}

// withDoor adds one record at least of every kind that is not about a registered person: a hotline verified and
// doubted, a shelter with two guarded parts that stand, a service changed by two at once, a text in two versions, a
// conversation in parts with what was done about it, referrals of persons 0, 2 (who said no to a record) and 4,
// incidents.
func withDoor(t testing.TB) *Export {
	t.Helper()
	x := programme(t, 5, 20)
	n := 5000
	in := func(k krama.CircleKind, who krama.SubjectID, r krama.Record) krama.RecordID {
		t.Helper()
		n++
		r.ID = id[krama.RecordID](n)
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		x.State.ApplyIn(k, who, &r, id[krama.DeviceID](7), false)
		return r.ID
	}
	var nobody krama.SubjectID
	w := func(s string) krama.Words { return krama.Words{EN: s, KM: "ខ្មែរ " + s} }
	out, safe := krama.KindOutreach, krama.KindSafeguarding
	hotline := krama.Listing{Key: krama.ListingID{1}, Kind: krama.KindHotline, Org: w("Org one"), Name: w("Line one"),
		About: w("About one"), Operator: krama.OperatorNGO, Needs: krama.Set(0).With(krama.NeedHurt),
		Districts: []uint16{1001}, Languages: krama.Set(0).With(1), Welcome: krama.Set(0).With(2), Cost: 1,
		Bring: w("Bring one"), Asked: w("Asked one"), Access: krama.Set(0).With(5), Police: krama.PoliceNever,
		Hours: []krama.Hours{{Days: 0xfe, Open: 0, Close: 1440}},
		Phones: []krama.Phone{{Number: "000 111", Use: krama.UseCall, Tier: krama.TierPublic}, {Number: "000 222",
			Use: krama.UseMessage, Tier: krama.TierPartner}},
		Address: w("Street one"), Shown: krama.TierPartner, Source: "its own card", Public: true, Invented: true}
	in(out, nobody, krama.Record{Listing: &hotline})
	checked := in(out, nobody, krama.Record{Check: &krama.Check{Key: krama.ListingID{1}, Day: day,
		Says: krama.CheckTrue}})
	in(out, nobody, krama.Record{Check: &krama.Check{Key: krama.ListingID{1}, Day: day + 1, Says: krama.CheckDoubt,
		Seen: []krama.RecordID{checked}}})
	shelter := krama.Listing{Key: krama.ListingID{2}, Kind: krama.KindShelter, Org: w("Org two"), Name: w("House two"),
		Operator: krama.OperatorNGO, Source: "visit"}
	in(out, nobody, krama.Record{Listing: &shelter})
	for i := range 2 {
		in(safe, nobody, krama.Record{Guarded: &krama.Guarded{Key: krama.ListingID{2},
			Address: w(fmt.Sprintf("Behind the well %d", i)), Phones: []krama.Phone{{Number: "000 333",
				Use: krama.UseCall, Tier: krama.TierNamed}}}})
	}
	service := krama.Listing{Key: krama.ListingID{3}, Kind: krama.KindService, Org: w("Org three"), Name: w("Three"),
		Operator: krama.OperatorHealth, Source: "first"}
	first := in(out, nobody, krama.Record{Listing: &service})
	for _, s := range []string{"second", "third"} {
		v := service
		v.Source, v.Replaces, v.Closed = s, []krama.RecordID{first}, s == "third"
		in(out, nobody, krama.Record{Listing: &v})
	}
	old := in(out, nobody, krama.Record{RightsText: &krama.RightsText{Topic: "arrest", Lang: "km", Body: "Body one",
		Source: "law"}})
	in(out, nobody, krama.Record{RightsText: &krama.RightsText{Topic: "arrest", Lang: "km", Body: "Body two",
		Source: "law", Replaces: []krama.RecordID{old}, ReviewedBy: "a lawyer", ReviewedOn: day}})
	in(krama.KindCasework, id[krama.SubjectID](900),
		krama.Record{Intake: &krama.Intake{Seed: [32]byte(secrets["an intake's seed"]), From: day, Until: day + 31}})
	in(krama.KindCasework, id[krama.SubjectID](900), krama.Record{Taken: &krama.Taken{What: krama.TakenErased, Day: day,
		Reports: []krama.RecordID{krama.RecordID(secrets["an erased report's hash"])}}})
	talk := krama.ThreadID{9}
	report := func(r krama.Report) {
		r.Thread, r.Auth, r.Intake, r.Mailbox = talk, [32]byte(secrets["the key that fetches answers"]),
			[16]byte(secrets["an intake's id"]), [16]byte(secrets["a mailbox"])
		in(krama.KindCasework, id[krama.SubjectID](901), krama.Record{Report: &r})
	}
	report(krama.Report{KEM: secrets["the key answers are sealed to"], Day: day, Topic: 2, Text: "He hit me <and> ",
		Place: 1002})
	report(krama.Report{Day: day, Topic: 2, Part: 1, Text: "took my money"})
	act := func(a krama.Act) {
		a.Threads, a.Messages = []krama.ThreadID{talk}, 1
		in(krama.KindCasework, id[krama.SubjectID](901), krama.Record{Act: &a})
	}
	act(krama.Act{What: krama.ActAssign, Day: day + 1, Member: id[krama.MemberID](9)})
	act(krama.Act{What: krama.ActAnswer, Day: day + 1, Text: "Come on Monday"})
	report(krama.Report{KEM: secrets["the key answers are sealed to"], Day: day + 3, Topic: 2, Text: "Thank you"})
	kept := in(safe, id[krama.SubjectID](902), krama.Record{Incident: &krama.Incident{Thread: talk, Day: day + 4,
		District: 1002, What: krama.Set(0).With(1), By: krama.Set(0).With(5), Wants: krama.Set(0).With(4),
		Consent: true}})
	act(krama.Act{What: krama.ActIncident, Day: day + 4, Incident: kept})
	in(safe, id[krama.SubjectID](2), krama.Record{Incident: &krama.Incident{Day: day + 4, What: krama.Set(0).With(3),
		Consent: true}})
	code, err := krama.NewSlipCode(bytes.NewReader(secret(6, 11)))
	if err != nil {
		t.Fatal(err)
	}
	secrets["a slip's code"], secrets["a slip's code as it is shown"] = []byte(code), []byte(code.String())
	for _, who := range []int{0, 2, 4} {
		r := in(out, id[krama.SubjectID](who), krama.Record{Referral: &krama.Referral{Listing: krama.ListingID{1},
			Day: day + 5, For: day + 6, Code: code}})
		if who == 0 {
			in(out, id[krama.SubjectID](who), krama.Record{Outcome: &krama.Outcome{Referral: r, Day: day + 6,
				What: krama.OutcomeAccepted}})
			in(out, id[krama.SubjectID](who), krama.Record{Outcome: &krama.Outcome{Referral: r, Day: day + 7,
				What: krama.OutcomeDone}})
		}
	}
	in(krama.KindCasework, nobody, krama.Record{Audit: &krama.Audit{What: krama.AuditRead, Day: day + 1, Thread: talk}})
	in(safe, nobody, krama.Record{Audit: &krama.Audit{What: krama.AuditList, Day: day}})
	in(out, nobody, krama.Record{Trust: &krama.Trust{Set: [4]byte{1}, X: 1, Day: day}})
	in(out, nobody, krama.Record{Circle: &krama.Circle{Kind: out}})
	return x
}

// TestEveryRecordHasAPlace: a new kind of record is written, or somebody has said why it is not.
func TestEveryRecordHasAPlace(t *testing.T) {
	got, err := collect(quickArchive(t, withDoor(t)), words6)
	if err != nil {
		t.Fatal(err)
	}
	typ := reflect.TypeFor[krama.Record]()
	parts := 0
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Type.Kind() != reflect.Pointer {
			continue
		}
		parts++
		kind, in := written[f.Name]
		why, out := leftOut[f.Name]
		switch {
		case in == out:
			t.Errorf("%s: say where an archive has it, or why not", f.Name)
		case in && len(got[kind]) == 0:
			t.Errorf("%s: no line of kind %s", f.Name, kind)
		case out && why == "":
			t.Errorf("%s is left out for no reason", f.Name)
		}
	}
	if parts != len(written)+len(leftOut) {
		t.Errorf("%d kinds of record, %d in the lists", parts, len(written)+len(leftOut))
	}
}

// TestDoorLines reads back what is not about registered people.
func TestDoorLines(t *testing.T) {
	x := withDoor(t)
	got, err := collect(quickArchive(t, x), words6)
	if err != nil {
		t.Fatal(err)
	}
	if len(got["incident"]) != 1 {
		t.Fatalf("incidents: %v; one is of a person who said no to a record", got["incident"])
	}
	incident := got["incident"][0]["record"].(string)
	hexOf := func(n int) string { return id[krama.SubjectID](n).String() }
	want := func(kind, lines string) {
		t.Helper()
		var all []map[string]any
		if err := json.Unmarshal([]byte(lines), &all); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, l := range got[kind] {
			delete(l, "kind")
			delete(l, "record") // drawn
			if l["by"] == hexOf(9) {
				l["by"] = "Outreach 3"
			}
		}
		if len(got[kind]) != len(all) {
			t.Errorf("%s: %d lines want %d", kind, len(got[kind]), len(all))
			return
		}
		for i := range all {
			if !reflect.DeepEqual(got[kind][i], all[i]) {
				t.Errorf("%s %d:\n got %v\nwant %v", kind, i, got[kind][i], all[i])
			}
		}
	}
	key := func(b byte) string { return hex.EncodeToString(append([]byte{b}, make([]byte, 15)...)) }
	w := func(s string) string { return fmt.Sprintf(`{"en":%q,"km":%q,"vi":""}`, s, "ខ្មែរ "+s) }
	third := func(source string, closed string) string {
		return `{"listing":"` + key(3) + `","type":"service","name":` + w("Three") + `,"org":` + w("Org three") +
			`,"operator":"health","cost":"unknown","police":"unknown","source":"` + source + `"` + closed + `}`
	}
	two := []string{third("second", ""), third("third", `,"closed":true`)}
	if a, b := id[krama.RecordID](5008), id[krama.RecordID](5009); bytes.Compare(a[:], b[:]) > 0 {
		two[0], two[1] = two[1], two[0] // by record
	}
	want("listing", `[{"listing":"`+key(1)+`","type":"hotline","name":`+w("Line one")+`,"org":`+w("Org one")+`,"about":`+w("About one")+`,"operator":"ngo","needs":["hurt"],"districts":["1001"],"languages":["km"],
		"welcome":["men"],"cost":"free","bring":`+w("Bring one")+`,"asked":`+w("Asked one")+`,"access":["by-phone"],"police":"never","hours":[{"days":[1,2,3,4,5,6,7],"open":"00:00","close":"24:00"}],
		"phones":[{"number":"000 111","use":"call","for":"anybody"},{"number":"000 222","use":"message","for":"partners"}],"address":`+w("Street one")+`,"address_for":"partners","source":"its own card",
		"verified":"2026-03-02","public":true,"invented":true},
		{"listing":"`+key(2)+`","type":"shelter","name":`+w("House two")+`,"org":`+w("Org two")+`,"operator":"ngo","cost":"unknown","police":"unknown","source":"visit"},`+strings.Join(two, ",")+`]`)
	guard := func(i int) string {
		return `{"listing":"` + key(2) + `","name":` + w("House two") +
			`,"phones":[{"number":"000 333","use":"call","for":"named-staff"}],"address":` +
			w(fmt.Sprintf("Behind the well %d", i)) + `}`
	}
	guards := []string{guard(0), guard(1)}
	if a, b := id[krama.RecordID](5005), id[krama.RecordID](5006); bytes.Compare(a[:], b[:]) > 0 {
		guards[0], guards[1] = guards[1], guards[0]
	}
	want("guarded", "["+strings.Join(guards, ",")+"]")
	want("check", `[{"listing":"`+key(1)+`","name":`+w("Line one")+
		`,"date":"2026-03-02","says":"true","by":"Outreach 3"},{"listing":"`+key(1)+`","name":`+w("Line one")+
		`,"date":"2026-03-03","says":"doubt","by":"Outreach 3"}]`)
	want("rights",
		`[{"topic":"arrest","language":"km","body":"Body two","source":"law","reviewed_by":"a lawyer","reviewed_on":"2026-03-02"}]`)
	want("report", `[{"thread":"`+key(9)+`","circle":"casework","number":1,"date":"2026-03-02","topic":"violence","district":"1002","text":"He hit me <and> took my money"},
		{"thread":"`+key(9)+`","circle":"casework","number":2,"date":"2026-03-05","topic":"violence","text":"Thank you"}]`)
	want("act", `[{"thread":"`+key(9)+`","date":"2026-03-03","what":"assign","after":1,"member":"`+hexOf(9)+`","by":"Outreach 3"},{"thread":"`+key(9)+`","date":"2026-03-03","what":"answer","after":1,"text":"Come on Monday","by":"Outreach 3"},
		{"thread":"`+key(9)+`","date":"2026-03-06","what":"incident","after":1,"incident":"`+incident+`","by":"Outreach 3"}]`)
	want("incident",
		`[{"date":"2026-03-06","district":"1002","what":["physical"],"done_by":["police"],"wants":["legal"],"thread":"`+
			key(9)+`","by":"Outreach 3"}]`)
	want("audit",
		`[{"date":"2026-03-02","what":"list","circle":"safeguarding","by":"Outreach 3"},{"date":"2026-03-03","what":"read","circle":"casework","thread":"`+key(9)+`","by":"Outreach 3"}]`)
	if len(got["referral"]) != 2 {
		t.Fatalf("referrals: %v", got["referral"])
	}
	for _, r := range got["referral"] {
		switch r["person"] {
		case hexOf(2):
			t.Error("a referral of a person who said no to a record is in the archive")
		case hexOf(0):
			outcomes := []any{map[string]any{"date": "2026-03-08", "outcome": "accepted"},
				map[string]any{"date": "2026-03-09", "outcome": "done"}}
			if !reflect.DeepEqual(r["outcomes"], outcomes) || r["for"] != "2026-03-08" || r["date"] != "2026-03-07" ||
				r["listing"] != key(1) || r["code"] == nil {
				t.Errorf("referral: %v", r)
			}
		}
	}
	n := got["archive"][0]["counts"].(map[string]any)
	for count, want := range map[string]float64{"listings": 4, "guarded": 2, "checks": 2, "rights": 1, "referrals": 2,
		"reports": 2, "acts": 3, "incidents": 1, "audits": 2, "left_out": 1} {
		if n[count] != want {
			t.Errorf("%s: got %v want %v", count, n[count], want)
		}
	}
}

// TestNoSecretInAnArchive looks for each secret in the opened lines, in every form that something could have written it
// in.
func TestNoSecretInAnArchive(t *testing.T) {
	x := withDoor(t)
	var all bytes.Buffer
	if _, err := read(bytes.NewReader(quickArchive(t, x)), quick(words6), func(_ string, b []byte) error {
		all.Write(b)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	text := strings.ToLower(all.String())
	for what, s := range secrets {
		list := fmt.Sprint(s[:8])
		for _, form := range []string{string(s), hex.EncodeToString(s[:8]), base64.StdEncoding.EncodeToString(s)[:10],
			base64.URLEncoding.EncodeToString(s)[:10], list[1 : len(list)-1], strings.ReplaceAll(list[1:len(list)-1],
				" ", ",")} {
			if strings.Contains(text, strings.ToLower(form)) {
				t.Errorf("%s is in the archive", what)
			}
		}
	}
}
