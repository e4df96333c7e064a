package web

import "strconv"

// itoa is strconv.Itoa under a name that is short enough for templates.
func itoa(n int) string { return strconv.Itoa(n) }

// iconPath returns the outline of an icon on a 24-unit grid.
func iconPath(name string) string {
	// An icon that is not drawn here has no path: the words beside it stand alone.
	return map[string]string{
		"home": "M3 11 12 3l9 8M5 10v10h5v-6h4v6h5V10",
		"people": "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM2 21c0-4 3-6 7-6s7 2 7 6M17 4a3.5 3.5 0 0 1 0 7M18 15c3 .6 4 " +
			"2.500 4 6",
		"mail":  "M3 6h18v12H3zM3 7l9 7 9-7",
		"list":  "M8 6h13M8 12h13M8 18h13M3 6h.01M3 12h.01M3 18h.01",
		"chart": "M4 20V10M10 20V4M16 20v-7M21 20H3",
		"page":  "M6 2h9l5 5v15H6zM14 2v6h6M9 13h7M9 17h7",
		"phone": "M7 2h10v20H7zM11 18h2",
		"cog": "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM12 2v4M12 18v4M2 12h4M18 12h4M5 5l3 3M16 16l3 3M5 19l3-3M16 " +
			"8l3-3",
		"lock":  "M6 11h12v10H6zM8 11V7a4 4 0 0 1 8 0v4",
		"up":    "M12 20V5M6 11l6-6 6 6",
		"check": "M4 12l5 5L20 6",
		"warn":  "M12 3 2 20h20ZM12 10v4M12 17h.01",
		"globe": "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20ZM2 12h20M12 2c3 3 4 6 4 10s-1 7-4 10c-3-3-4-6-4-10s1-7 " +
			"4-10Z",
		"plus":   "M12 5v14M5 12h14",
		"search": "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM16 16l5 5",
		"pen":    "M4 20l1-5L16 4l4 4L9 19zM13 7l4 4",
		"heart":  "M12 20s-8-5-8-11a4.500 4.500 0 0 1 8-3 4.500 4.500 0 0 1 8 3c0 6-8 11-8 11Z",
		"camera": "M4 8h4l2-3h4l2 3h4v12H4zM12 17a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z",
	}[name]
}
