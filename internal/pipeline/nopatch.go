package pipeline

import (
	"net/http"

	"scimbulk/internal/scim"
)

// lacksPatch says whether the row's changes have to be sent as replacements: the
// profile or the directory itself says that there is no PATCH, or it has refused
// one.
func (w *row) lacksPatch() bool {
	return w.Rules.NoPatch || w.unpatch || w.noPatch.Load()
}

// patchRefused tells that the directory refused a PATCH because it offers none.
// The row is then sent as a PUT, and so are all others unless the directory has
// taken a PATCH of theirs: some refuse it for one account alone. Changes of
// members stay as they are, since a PUT would write all members of the group.
func (w *row) patchRefused(failed *scim.Error) bool {
	switch failed.Status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
	default:
		return false
	}
	if writeMethod(&w.change) != http.MethodPatch || w.resource() != w.Resource {
		return false
	}
	w.unpatch = true
	if !w.patched.Load() {
		w.noPatch.Store(true)
	}
	return true
}

// needsAll says that a PUT was put together from a part of the resource, because
// the directory was read for changes that a PATCH would have carried. It would
// clear all the rest, so that the resource has to be read first.
func (w *row) needsAll() bool {
	return w.have != nil && len(w.have.Attributes) > 0 && writeMethod(&w.change) == http.MethodPut && w.lacksPatch()
}
