package main

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestA10CrowdKeepsWhoProved: connections that are only held open make room for new ones, oldest first; one over which
// a call was admitted stays.
func TestA10CrowdKeepsWhoProved(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(l, 8)
	defer c.Close()
	var near []*seat // as the server holds them
	var far []net.Conn
	come := func() {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		near, far = append(near, s.(*seat)), append(far, conn)
	}
	for range 8 {
		come()
	}
	near[0].prove()
	for range 20 {
		come()
	}
	if n := len(c.seats); n != 8 {
		t.Errorf("%d connections are open, want 8", n)
	}
	closed := func(i int) bool {
		far[i].SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err := far[i].Read(make([]byte, 1))
		return err == io.EOF
	}
	for i, want := range map[int]bool{0: false, 1: true, 20: true, 21: false, 27: false} {
		if closed(i) != want {
			t.Errorf("connection %d: closed is %v", i, !want)
		}
	}
	for _, s := range near {
		s.Close()
	}
	if len(c.seats) != 0 {
		t.Errorf("%d seats are taken when all have left", len(c.seats))
	}
}
