package pipeline

// choose takes over whom a row of chosen people means: by an id, whatever name
// people read.
func (t *task) choose() {
	t.id = t.row.Cells[0]
	t.record.KeyFold = t.id
	if name := t.row.Cells[1]; name != "" {
		t.record.Key = name
	}
}

// countSwitch counts a row that sets somebody inactive. Where it is known that
// somebody is active by now, the row takes them away like any other removal.
func (im *Import) countSwitch(s *Survey, t *task) {
	s.switches++
	if !im.Chosen || im.Reading == nil {
		return
	}
	have, err := im.Reading.byID(t)
	if err == nil && have != nil && have.Object["active"] == true {
		s.Removals++
	}
}
