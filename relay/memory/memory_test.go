package memory_test

import (
	"testing"

	"krama/relay"
	"krama/relay/memory"
	"krama/relay/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) relay.Store { return memory.New() })
}

// TestBrief runs its contract on what a relay remembers in its own process.
func TestBrief(t *testing.T) { storetest.Brief(t, relay.NewBrief) }
