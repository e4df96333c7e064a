// Package line is a bad line on this machine: every connection over it is reset after some bytes, and it may be slow.
package line

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Line passes bytes on between callers and one server.
type Line struct {
	// URL is the address to call instead of the server's. The counts are of all connections together.
	URL    string
	l      net.Listener
	to     string
	after  int64         // bytes of a connection, both ways together, after which it is reset; 0 for never
	pause  time.Duration // for each hundred bytes
	bytes  atomic.Int64
	resets atomic.Int64
}

// New makes a line to a server at a host and port of this machine. rate is in bytes a second; 0 is as fast as it goes.
func New(to string, after int64, rate int) (*Line, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Line{URL: "http://" + l.Addr().String(), l: l, to: to, after: after}
	if rate > 0 {
		b.pause = 100 * time.Second / time.Duration(rate)
	}
	go b.serve()
	return b, nil
}

// Close ends the line; connections under way go on until they end.
func (b *Line) Close() error { return b.l.Close() }

// Carried is how many bytes went over the line in both directions, and how often it was reset.
func (b *Line) Carried() (bytes, resets int64) { return b.bytes.Load(), b.resets.Load() }

// serve takes connections until the line is closed, and makes one to the server for each: where one is reset, others go
// on.
func (b *Line) serve() {
	for {
		near, err := b.l.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", b.to)
		if err != nil {
			near.Close()
			continue
		}
		var carried atomic.Int64
		var once sync.Once
		// Both ways end together, and count as one reset.
		end := func(reset bool) {
			once.Do(func() {
				if reset {
					b.resets.Add(1)
					// Without lingering a close is a reset: the callers see a line that broke and no end of an answer.
					near.(*net.TCPConn).SetLinger(0)
					far.(*net.TCPConn).SetLinger(0)
				}
				near.Close()
				far.Close()
			})
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				// Small pieces: a slow line carries evenly, and a reset comes at its byte.
				buf := make([]byte, 100)
				for {
					n, err := way[0].Read(buf)
					if b.after > 0 && n > 0 {
						over := carried.Add(int64(n)) - b.after
						if over > 0 {
							// What lies beyond the bound is neither passed on nor counted.
							n = max(0, n-int(over))
						}
						if over >= 0 {
							err = net.ErrClosed
						}
					}
					// Each way waits for itself, and a short piece as long as a full one: the rate is the most that one
					// way carries.
					if n > 0 {
						time.Sleep(b.pause)
						b.bytes.Add(int64(n))
						if _, werr := way[1].Write(buf[:n]); werr != nil {
							err = werr
						}
					}
					if err != nil {
						if err == net.ErrClosed && b.after > 0 {
							time.Sleep(5 * time.Millisecond) // what was written is on its way
						}
						end(err == net.ErrClosed)
						return
					}
				}
			}()
		}
	}
}
