// Icons draws the installed app's icons from web/static/icon.svg's shape: a scarf's squares, on a ground with round
// corners or, for what a phone cuts to a shape of its own, on a whole square with the squares inside the middle four
// fifths. Run it in web/static when the shape changes:
//
//	go run ../../scripts/icons
package main

import (
	"image"
	"image/color"
	"image/png"
	"log"
	"os"
)

var (
	ground = color.NRGBA{0x7a, 0x1f, 0x2b, 0xff} // the scarf's red, as in icon.svg
	thread = color.NRGBA{0xea, 0xdc, 0xde, 0xff} // white at 85 % over it
	// Where each begins, in the 64 units of icon.svg.
	square = [][2]float64{{12, 12}, {32, 12}, {22, 22}, {42, 22}, {12, 32}, {32, 32}, {22, 42}, {42, 42}}
)

func main() {
	for _, icon := range []struct {
		name     string
		size     int
		maskable bool
	}{{"icon-192.png", 192, false}, {"icon-512.png", 512, false}, {"icon-mask.png", 512, true}} {
		if err := write(icon.name, draw(icon.size, icon.maskable)); err != nil {
			log.Fatal(err)
		}
	}
}

// write makes a file as small as PNG can be: it is drawn once and fetched over bad lines.
func write(name string, m image.Image) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, m)
}

// draw paints on a grid of 64 units, each pixel by 16 points in it.
func draw(size int, maskable bool) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, size, size))
	scale := 64 / float64(size)
	for y := range size {
		for x := range size {
			var red, white int
			// Sixteen points, in the middle of the squares that a pixel is cut into: edges are smooth, and every run
			// draws the same.
			for i := range 16 {
				px, py := (float64(x)+float64(i%4)/4+0.125)*scale, (float64(y)+float64(i/4)/4+0.125)*scale
				switch {
				case onThread(px, py, maskable):
					white++
				case maskable || onGround(px, py):
					red++
				}
			}
			if n := red + white; n > 0 {
				// The colour is that of the points which are covered, and how many those are is the alpha: corners must
				// not be darker.
				mix := func(a, b uint8) uint8 { return uint8((int(a)*red + int(b)*white) / n) }
				m.SetNRGBA(x, y, color.NRGBA{mix(ground.R, thread.R), mix(ground.G, thread.G), mix(ground.B, thread.B),
					uint8(255 * n / 16)})
			}
		}
	}
	return m
}

// onThread reports whether a point is on one of the squares, of 10 units. Their corners are 28.3 units from the middle
// at the most; 1.2 times smaller they are 23.6, within the circle of 25.6 that a phone always shows.
func onThread(x, y float64, maskable bool) bool {
	if maskable { // the middle four fifths are always seen
		x, y = 32+(x-32)*1.2, 32+(y-32)*1.2
	}
	for _, s := range square {
		if x >= s[0] && x < s[0]+10 && y >= s[1] && y < s[1]+10 {
			return true
		}
	}
	return false
}

// onGround is a square with corners of 14 units.
func onGround(x, y float64) bool {
	dx, dy := max(14-x, x-50, 0), max(14-y, y-50, 0)
	return dx*dx+dy*dy <= 14*14
}
