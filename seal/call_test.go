package seal

import (
	"bytes"
	"reflect"
	"testing"

	"krama"
)

// payload is a call's payload, and what reads it back.
type payload struct {
	bytes []byte
	read  func([]byte) (any, error)
	call  any
}

func readsBack[T any](call interface{ Marshal() []byte }, parse func([]byte) (T, error)) payload {
	return payload{call.Marshal(), func(b []byte) (any, error) { return parse(b) }, call}
}

// calls are one payload of each format, with every field set.
func calls() map[string]payload {
	fill := func(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }
	id, other := [16]byte(fill(16, 1)), [16]byte(fill(16, 2))
	pub, sum, head := fill(32, 3), [32]byte(fill(32, 4)), Head{N: 7, H: [32]byte(fill(32, 5))}
	before := StreamID(other)
	proof := ProofOfWork{pub, krama.Day(20000), [WorkSize]byte(fill(WorkSize, 6))}
	stone := append([]byte{tombVersion}, fill(TombstoneSize-1, 7)...)
	n := uint64(3)
	envelope := fill(MinEnvelope, 8)
	return map[string]payload{
		"found":        readsBack(FoundCall{[]byte("token"), pub, id}, ParseFound),
		"control":      readsBack(ControlCall{pub}, ParseControl),
		"create":       readsBack(CreateCall{StreamID(id), pub, sum, &before, true}, ParseCreate),
		"create first": readsBack(CreateCall{StreamID(id), pub, sum, nil, false}, ParseCreate),
		"line":         readsBack(LineCall{[]StreamID{id, other}}, ParseLine),
		"place":        readsBack(PlaceCall{id, head}, ParsePlace),
		"restore":      readsBack(RestoreCall{id, AppendCall{&n, [][]byte{envelope}}}, ParseRestore),
		"append":       readsBack(AppendCall{nil, [][]byte{envelope, envelope}}, ParseAppend),
		"list":         readsBack(ListCall{9, 8, 7, [][32]byte{sum}}, ParseList),
		"box put":      readsBack(BoxPutCall{[]BoxPut{{id, []byte("a")}, {other, []byte("b")}}}, ParseBoxPut),
		"box get":      readsBack(BoxGetCall{pub, id, sum, After{5, 6}}, ParseBoxGet),
		"drop put":     readsBack(DropPutCall{proof, []byte("request")}, ParseDropPut),
		"drop get":     readsBack(DropGetCall{id}, ParseDropGet),
		"leave get":    readsBack(LeaveGetCall{id, After{5, 6}}, ParseLeaveGet),
		"blob put":     readsBack(BlobPutCall{[]byte("page")}, ParseBlobPut),
		"blob get":     readsBack(BlobGetCall{sum, 6}, ParseBlobGet),
		"blob drop":    readsBack(BlobDropCall{[][32]byte{sum, {}}}, ParseBlobDrop),
		"report":       readsBack(ReportHead{id, other, 20000, proof.Proof, 4096}, ParseReportHead),
		"answer":       readsBack(AnswerCall{id, fill(ReplyItem, 9)}, ParseAnswer),
		"reply":        readsBack(ReplyCall{proof}, ParseReply),
		"intake":       readsBack(IntakeCall{pub, 5, [][32]byte{sum}, &sum}, ParseIntakeCall),
		"old intake":   readsBack(IntakeCall{pub, 5, nil, nil}, ParseIntakeCall),
		"slip":         readsBack(SlipCall{id, krama.Outcomes[0].Code}, ParseSlip),
		"slips":        readsBack(SlipsCall{[][16]byte{id, other}}, ParseSlips),
		"pepper put":   readsBack(PepperPutCall{[]Pepper{{pub, sum}}}, ParsePepperPut),
		"pepper drop":  readsBack(PepperDropCall{[]krama.DeviceID{id}}, ParsePepperDrop),
		"part":         readsBack(PartCall{sum, 100, 50, []byte("piece")}, ParsePart),
		"draft":        readsBack(Draft{[]byte("statement"), krama.DeviceID(id), fill(64, 1)}, ParseDraft),
		"members": readsBack(MembersCall{id, []MemberKey{{pub, other}}},
			func(b []byte) (MembersCall, error) { return ParseMembers(b, 4) }),
		"box items": readsBack(BoxItemsCall{id, [][]byte{[]byte("a"), []byte("b")}},
			func(b []byte) (BoxItemsCall, error) { return ParseBoxItems(b, 4) }),
		"door": readsBack(DoorCall{[]byte("door"), [][16]byte{id}},
			func(b []byte) (DoorCall, error) { return ParseDoor(b, 4) }),
		"tombstones": readsBack(TombstoneCall{[]TombstonePut{{id, 5, stone}}}, ParseTombstones),
	}
}

// TestCallsReadBack: each payload is read back as it was made, and neither a shorter nor a longer one is taken for it.
func TestCallsReadBack(t *testing.T) {
	for name, p := range calls() {
		got, err := p.read(p.bytes)
		if err != nil || !reflect.DeepEqual(got, p.call) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, p.call)
		}
		for n := range len(p.bytes) {
			if got, err := p.read(p.bytes[:n]); err == nil && reflect.DeepEqual(got, p.call) {
				t.Errorf("%s: %d of %d bytes are taken for all", name, n, len(p.bytes))
			}
		}
		if got, err := p.read(append(bytes.Clone(p.bytes), 0)); err == nil {
			t.Errorf("%s: one byte more is read as %+v", name, got)
		}
	}
}

// FuzzCalls: whatever is read as a payload is written as the same bytes.
func FuzzCalls(f *testing.F) {
	for _, p := range calls() {
		f.Add(p.bytes)
	}
	all := calls()
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, p := range all {
			got, err := p.read(b)
			if err != nil {
				continue
			}
			if again := got.(interface{ Marshal() []byte }).Marshal(); !bytes.Equal(again, b) {
				t.Errorf("%s: %x is written as %x", name, b, again)
			}
		}
	})
}
