package mapping

// Clean is a cell as a person would read it, for files that need no mapping: no
// spaces around it, nothing invisible in it, and without the apostrophe of
// [Guard].
func Clean(cell string) string {
	var h Hygiene
	return h.clean(cell)
}
