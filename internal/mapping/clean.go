package mapping

// Clean is a cell as a person would read it, for files that need no mapping: no
// spaces around it, nothing invisible in it, and without the apostrophe of
// [Guard]. What [TextCell] wrote is the text that it was given.
func Clean(cell string) string {
	var h Hygiene
	cell = h.clean(cell)
	if v, ok := literal(cell); ok {
		return cellText(v)
	}
	return cell
}
