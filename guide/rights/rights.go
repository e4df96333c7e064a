// Package rights is what Krama ships about rights and law: texts with their sources, drafts until somebody competent
// reviews them. It stands apart from package guide so that phones do not carry it.
package rights

import (
	_ "embed"
	"encoding/json"

	"krama"
)

//go:embed rights.json
var raw []byte

// Text is one page about one topic. ReviewedBy is empty while nobody has reviewed it, and then it is a draft.
type Text struct {
	Topic      string      `json:"topic"`
	Title      krama.Words `json:"title"`
	Body       krama.Words `json:"body"` // paragraphs, a line each
	Source     string      `json:"source"`
	Dated      string      `json:"dated"` // when it was written down
	ReviewedBy string      `json:"reviewedBy"`
	ReviewedOn string      `json:"reviewedOn"`
}

// Load returns the texts in the order of the page that lists them.
func Load() ([]Text, error) {
	var out []Text
	return out, krama.Wrap("rights.Load", json.Unmarshal(raw, &out))
}
