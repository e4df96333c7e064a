package guide

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestLoad: every field of the files arrives, by the names beside the fields, and no field of the files is left behind.
func TestLoad(t *testing.T) {
	g, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	want := new(Guide)
	for name, v := range map[string]any{"data/kratie.json": &want.Province, "data/kp_prev.json": &want.KPPrev} {
		f, err := files.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(f)
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !reflect.DeepEqual(g, want) {
		t.Errorf("got %+v\nwant %+v", g, want)
	}
}
