package plan

import (
	"fmt"
)

// TurnsOff says whether a change removes somebody or turns somebody inactive.
func (c *Change) TurnsOff() bool {
	switch c.Action {
	case ActDelete, ActDeactivate:
		return true
	case ActUpdate, ActReplace:
		for _, d := range c.Differences {
			if d.Path == "active" && d.New == false {
				return true
			}
		}
	}
	return false
}

// guard rejects a change that takes away whom the run must keep.
func (r *Rules) guard(c Change, have *Current) Change {
	if !c.TurnsOff() {
		return c
	}
	if why := r.Kept(have); why != "" {
		return reject("permission", why)
	}
	return c
}

// Kept says why somebody must be neither deleted nor turned inactive, "" for
// everybody else.
func (r *Rules) Kept(have *Current) string {
	if r.Self != "" && have.ID == r.Self {
		return "this is the account that scimbulk itself works with, which is neither deleted nor turned inactive"
	}
	for _, f := range r.Protected {
		if r.Schema.Selects(f, have.Object) {
			return fmt.Sprintf("kept by --protect '%s', so that nobody is deleted or turned inactive whom it selects", f)
		}
	}
	return ""
}
