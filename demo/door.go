package demo

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"krama"
	"krama/directory"
	"krama/replica"
	"krama/seal"
)

// invented is one invented service.
type invented struct {
	// Codes of the directory's closed lists (krama.ListingKinds and those beside it); districts are NCDD codes, nil for
	// everywhere. hidden is a listing that is for staff alone.
	kind, operator uint8
	km, en, vi     string
	needs          []uint8
	districts      []uint16
	police         uint8
	age            int // days since it was verified; -1 never
	hidden         bool
}

// services are 25 invented services, so that every page can be seen full. None of them exists, and their numbers begin
// with 000.
// They stand in every state that a page can show: verified lately, soon to be verified again, past the 180 days, past
// the 30 after them, never verified, doubted.
var services = []invented{
	{1, 1, "ផ្ទះបើកទ្វារ", "Open House", "Nhà Mở", []uint8{1, 2, 3, 7}, nil, 1, 12, false},
	{1, 1, "ក្រុមមិត្តភក្តិទន្លេ", "River Friends", "Nhóm Bạn Sông", []uint8{2, 3, 5, 7}, []uint16{1002, 1006}, 1,
		30, false},
	{1, 2, "មន្ទីរសុខភាពភ្លេង", "Song Clinic", "Phòng khám Bài Ca", []uint8{1, 2}, []uint16{1002}, 2, 45, false},
	{1, 2, "មណ្ឌលសុខភាពឆ្លូងសាក", "Chhloung Practice Health Centre", "Trạm y tế Thử Chhloung", []uint8{1, 2, 8},
		[]uint16{1001}, 3, 80, false},
	{1, 2, "មណ្ឌលសុខភាពស្នួលសាក", "Snuol Practice Health Centre", "Trạm y tế Thử Snuol", []uint8{1, 2}, []uint16{1005},
		3, 170, false},
	{1, 2, "ក្លីនិកចល័តដើរ", "Walking Clinic", "Phòng khám Lưu động", []uint8{1, 2}, []uint16{1003, 1004, 1007},
		1, 5, false},
	{2, 1, "ខ្សែស្ដាប់", "Listening Line", "Đường dây Lắng nghe", []uint8{1, 3, 5, 7}, nil, 1, 20, false},
	{2, 1, "ខ្សែកុមារសាក", "Practice Child Line", "Đường dây Trẻ em Thử", []uint8{5, 8}, nil, 3, 9, false},
	{1, 1, "ជំនួយច្បាប់ស្ពាន", "Bridge Legal Aid", "Trợ giúp pháp lý Cầu", []uint8{4, 5, 6, 7}, nil, 2, 60, false},
	{1, 1, "ការិយាល័យឯកសារ", "Papers Desk", "Bàn Giấy tờ", []uint8{4}, []uint16{1002, 1005}, 1, 100, false},
	{3, 1, "ទីជម្រកផ្កាឈូក", "Lotus Shelter", "Nhà tạm lánh Hoa Sen", []uint8{1, 3, 5, 8}, nil, 2, 14, false},
	{3, 1, "ទីជម្រកយប់", "Night Shelter", "Nhà tạm lánh Đêm", []uint8{3, 5}, nil, 2, 33, false},
	{2, 4, "ប៉ូលិសសាក", "Practice Police Line", "Đường dây Công an Thử", []uint8{5, 6, 8}, nil, 4, 25, false},
	{1, 4, "ប៉ុស្តិ៍ប៉ូលិសសាក", "Practice Police Post", "Đồn công an Thử", []uint8{6}, []uint16{1002}, 4, 40, false},
	{1, 3, "ការិយាល័យសង្គមកិច្ចសាក", "Practice Social Affairs Office", "Phòng Xã hội Thử", []uint8{3, 4, 7, 8},
		[]uint16{1002}, 3, 70, false},
	{1, 1, "ជាងកាត់ដេរថ្មី", "New Thread Training", "Lớp may Chỉ Mới", []uint8{3, 7}, []uint16{1002, 1006}, 1,
		50, false},
	{1, 1, "សហគ្រាសតូច", "Small Enterprise Circle", "Nhóm Doanh nghiệp Nhỏ", []uint8{7}, nil, 1, 110, false},
	{1, 1, "មត្តេយ្យពេលយប់", "Evening Nursery", "Nhà trẻ Buổi tối", []uint8{7, 8}, []uint16{1002}, 1, 18, false},
	{1, 1, "ក្រុមអ្នកប្លែងភេទ", "Rainbow Table", "Bàn Cầu vồng", []uint8{1, 2, 7}, []uint16{1002, 1006}, 1, 22, false},
	{1, 1, "ជំនួយជនចំណាកស្រុក", "Crossing Help", "Giúp người Vượt biên", []uint8{4, 5, 7}, []uint16{1005}, 1,
		190, false},
	{1, 2, "មន្ទីរពេទ្យសាក", "Practice Referral Hospital", "Bệnh viện Thử", []uint8{1, 2, 8}, []uint16{1002},
		3, 8, false},
	{1, 1, "ក្រុមនិយាយ", "Talking Circle", "Vòng Trò chuyện", []uint8{1, 3, 5}, []uint16{1001, 1003}, 1, 185, false},
	{1, 5, "វត្តសាក", "Practice Pagoda", "Chùa Thử", []uint8{3, 7}, []uint16{1004}, 1, -1, false},
	{1, 1, "ក្រុមចាស់", "Old Group", "Nhóm Cũ", []uint8{2}, []uint16{1007}, 0, 240, false},
	{1, 1, "សម្រាប់បុគ្គលិក", "Staff Contact List", "Danh bạ nhân viên", []uint8{1, 6}, nil, 0, 15, true},
}

// Directory writes the invented services, their checks and two shelters' guarded parts, by the desk's own hand.
func Directory(p *Programme, today krama.Day) error {
	for i, x := range services {
		key := krama.ListingID{0xde, 0x30, byte(i)}
		set := func(list []uint8) (s krama.Set) {
			for _, c := range list {
				s = s.With(c)
			}
			return s
		}
		l := &krama.Listing{Key: key, Kind: x.kind, Operator: x.operator, Name: krama.Words{KM: x.km, EN: x.en,
			VI: x.vi}, Needs: set(x.needs), Districts: x.districts, Police: x.police,
			Org: krama.Words{KM: "អង្គការប្រឌិត " + fmt.Sprint(i+1), EN: "Invented organisation " +
				fmt.Sprint(i+1), VI: "Tổ chức hư cấu " + fmt.Sprint(i+1)},
			About: krama.Words{KM: "សេវាប្រឌិតសម្រាប់ការសាកល្បង។ វាមិនមានពិតទេ។",
				EN: "An invented service for trying things out. It does not exist.",
				VI: "Dịch vụ hư cấu để thử. Nó không có thật."},
			Languages: krama.Set(0).With(1), Welcome: set([]uint8{1, 2, 3, 4}), Cost: 1,
			Source: "invented for the demo", Public: !x.hidden, Invented: true,
			Bring: krama.Words{KM: "មិនត្រូវការអ្វីទេ", EN: "Nothing is needed", VI: "Không cần gì"},
			Asked: krama.Words{KM: "ឈ្មោះហៅក្រៅ", EN: "A name to call you by", VI: "Một tên gọi"},
			Hours: []krama.Hours{{Days: 0x3e, Open: 450, Close: 1020}}}
		// Some also speak Vietnamese, hotlines never close, some show an address: what a page says differs.
		if i%4 == 0 {
			l.Languages = l.Languages.With(2)
		}
		if x.kind == krama.KindHotline {
			l.Hours = []krama.Hours{{Days: 0xfe, Open: 0, Close: 1440}}
		}
		l.Phones = []krama.Phone{{Number: fmt.Sprintf("000 100 %03d", i), Use: krama.UseCall, Tier: krama.TierPublic}}
		if x.kind == krama.KindHotline {
			l.Phones = append(l.Phones, krama.Phone{Number: fmt.Sprintf("000 100 %03d", i), Use: krama.UseMessage,
				Tier: krama.TierPublic})
		}
		if x.kind == krama.KindService && i%3 == 0 {
			l.Address, l.Shown = krama.Words{KM: "ផ្លូវប្រឌិតលេខ " + fmt.Sprint(i),
				EN: fmt.Sprintf("%d Invented Street", i), VI: fmt.Sprintf("%d Đường Hư cấu", i)}, krama.TierPublic
		}
		// A check makes it verified; a listing alone is not, whoever writes it.
		recs := []*krama.Record{{Listing: l}}
		if x.age >= 0 {
			recs = append(recs, &krama.Record{Check: &krama.Check{Key: key, Day: today - krama.Day(x.age),
				Says: krama.CheckTrue}})
		}
		// A worker's doubt about one that was verified, for the list of what to verify this week.
		if i == 9 {
			recs = append(recs, &krama.Record{Check: &krama.Check{Key: key, Day: today - 2, Says: krama.CheckDoubt}})
		}
		if err := write(p.Desk, krama.KindOutreach, krama.SubjectID{}, recs...); err != nil {
			return err
		}
		// Where a shelter is lies in the safeguarding circle alone, in the demo as well.
		if x.kind == krama.KindShelter {
			g := &krama.Guarded{Key: key, Address: krama.Words{EN: fmt.Sprintf("House %d behind the invented pagoda",
				i)}, Phones: []krama.Phone{{Number: fmt.Sprintf("000 900 %03d", i), Use: krama.UseCall,
				Tier: krama.TierNamed}}}
			if err := write(p.Desk, krama.KindSafeguarding, krama.SubjectID{}, &krama.Record{Guarded: g}); err != nil {
				return err
			}
		}
	}
	return nil
}

// write keeps records as a device of the programme does.
func write(r *replica.Replica, k krama.CircleKind, who krama.SubjectID, recs ...*krama.Record) error {
	for _, rec := range recs {
		var err error
		if rec.ID, err = r.NewRecord(); err != nil {
			return err
		}
	}
	return r.Write(k, who, recs...)
}

// messages are what invented people report.
// One in each language. An intake cannot tell them from others, so each says itself that it is invented.
var messages = []seal.Message{
	{Topic: 3, Place: 1002, Text: "DEMO. A man in uniform asked two of us for money to let us go. What can we do?"},
	{Topic: 8, Text: "DEMO. ថៅកែរក្សាទុកឯកសាររបស់មិត្តខ្ញុំ។ តើធ្វើម៉េច?"},
	{Topic: 6, Place: 1005, Text: "DEMO. Ở phòng khám họ hỏi tên tôi trước mặt mọi người."},
}

// Reports reports to the door's intakes as anybody would: sealed, with a proof of work, over the relay's open call.
func Reports(ctx context.Context, remote replica.Remote, d *directory.Door, now time.Time) error {
	today := krama.DayOf(now)
	for i, m := range messages {
		open := d.Offered(today)
		if len(open) == 0 {
			return krama.E("demo.Reports", krama.NotFound, "no intake is open")
		}
		// The intakes in turn, so that each has something to read.
		in := open[i%len(open)]
		// A receipt each, as for each visitor. The digits are not kept: nobody comes back for the answers.
		digits, err := seal.NewReceipt(rand.Reader)
		if err != nil {
			return err
		}
		r, err := seal.OpenReceipt(digits, d.Site)
		if err != nil {
			return err
		}
		w, err := seal.SealReport(in.Kem, d.Site, in.ID, r, m)
		if err != nil {
			return err
		}
		proof, err := seal.Work(rand.Reader, d.Site, today)
		if err != nil {
			return err
		}
		if _, _, err := remote.Call(ctx, seal.PathReport, seal.Frame(d.Site[:], in.ID[:],
			binary.BigEndian.AppendUint32(nil, uint32(today)), proof[:], w)); err != nil {
			return err
		}
	}
	return nil
}
