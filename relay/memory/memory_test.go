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
