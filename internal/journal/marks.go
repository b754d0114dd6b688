package journal

const (
	pageLines = 1 << 12

	// rareEnding marks a line whose ending stands in marks.rare. Ten outcomes
	// and nine classes make far fewer endings than a byte can tell apart.
	rareEnding = 255
)

// An ending is what became of a line.
type ending struct{ outcome, class string }

// marks keeps the ending of each line in one byte: a map of structs would take
// a hundred times that.
type marks struct {
	pages map[int64]*[pageLines]uint8 // 0 is a line without an ending
	known []ending                    // mark n is known[n-1]
	index map[ending]uint8
	rare  map[int64]ending

	last   *[pageLines]uint8 // the page set last: lines come nearly in order
	lastNo int64
}

func newMarks() marks {
	return marks{pages: map[int64]*[pageLines]uint8{}, index: map[ending]uint8{}, rare: map[int64]ending{}}
}

// get may be called concurrently once nothing is set any more.
func (m *marks) get(line int64) (ending, bool) {
	page := m.pages[line/pageLines]
	if line < 0 || page == nil {
		return ending{}, false
	}
	switch mark := page[line%pageLines]; mark {
	case 0:
		return ending{}, false
	case rareEnding:
		return m.rare[line], true
	default:
		return m.known[mark-1], true
	}
}

// has is get for the page that was set last, without a map.
func (m *marks) has(line int64) bool {
	if m.last != nil && line/pageLines == m.lastNo {
		return m.last[line%pageLines] != 0
	}
	_, ok := m.get(line)
	return ok
}

// set reports whether the line had no ending yet; the first one stays.
func (m *marks) set(line int64, end ending) bool {
	number := line / pageLines
	if m.last == nil || m.lastNo != number {
		m.last, m.lastNo = m.page(number), number
	}
	mark := &m.last[line%pageLines]
	if *mark != 0 {
		return false
	}
	*mark = m.mark(end)
	if *mark == rareEnding {
		m.rare[line] = end
	}
	return true
}

func (m *marks) page(number int64) *[pageLines]uint8 {
	page := m.pages[number]
	if page == nil {
		page = new([pageLines]uint8)
		m.pages[number] = page
	}
	return page
}

func (m *marks) mark(end ending) uint8 {
	mark, ok := m.index[end]
	switch {
	case ok:
		return mark
	case len(m.known) == rareEnding-1:
		return rareEnding
	}
	m.known = append(m.known, end)
	mark = uint8(len(m.known))
	m.index[end] = mark
	return mark
}
