package main

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"krama/relay"
)

// How many connections each origin has open at a time. A connection costs about thirty kilobytes.
const (
	relayCrowd = 1024
	siteCrowd  = 512
)

// crowd is a listener that has no more than some connections open. Where one more comes, the one that has proved
// nothing for longest is closed for it: who only holds connections open loses them first, and a caller whose call was
// admitted keeps hers.
type crowd struct {
	net.Listener
	most  int
	mu    sync.Mutex
	seats map[*seat]struct{} // owned by mu
}

// seat is one connection.
// since is when it came: of two that proved alike, the older one goes first.
type seat struct {
	net.Conn
	in     *crowd
	since  time.Time
	proved time.Time // owned by in.mu; zero while nothing was
}

// provedFor is how long an admitted call counts.
const provedFor = 10 * time.Minute

// newCrowd bounds the connections of a listener.
func newCrowd(l net.Listener, most int) *crowd {
	return &crowd{Listener: l, most: most, seats: map[*seat]struct{}{}}
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &seat{Conn: conn, in: c, since: time.Now()}
	c.mu.Lock()
	var out *seat
	if len(c.seats) >= c.most {
		for o := range c.seats {
			if out == nil || o.before(out) {
				out = o
			}
		}
		delete(c.seats, out)
	}
	c.seats[s] = struct{}{}
	c.mu.Unlock()
	if out != nil {
		out.Conn.Close()
	}
	return s, nil
}

// before reports whether a connection is closed before another. Called with the crowd's lock held.
func (s *seat) before(o *seat) bool {
	known, other := time.Since(s.proved) < provedFor, time.Since(o.proved) < provedFor
	if known != other {
		return other
	}
	return s.since.Before(o.since)
}

// Close implements net.Conn.
func (s *seat) Close() error {
	s.in.mu.Lock()
	delete(s.in.seats, s)
	s.in.mu.Unlock()
	return s.Conn.Close()
}

// prove marks a connection as one of somebody whom the relay knows: it is not the first to go when there is no room.
func (s *seat) prove() {
	s.in.mu.Lock()
	s.proved = time.Now()
	s.in.mu.Unlock()
}

// seated lets the relay say of a connection that a call over it was admitted.
func seated(ctx context.Context, c net.Conn) context.Context {
	// With --domain TLS lies over the connection that the crowd has counted.
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if s, ok := c.(*seat); ok {
		return relay.WithProof(ctx, s.prove)
	}
	return ctx
}
