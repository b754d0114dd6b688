package pipeline

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// sayIfRevived tells of a create that the directory answered with an account
// that it had already: some bring a deleted one back, some adopt one of the same
// name.
func (w *row) sayIfRevived(resp *scim.Response) {
	mayBe := w.Profile.RevivesDeleted || resp.Status == http.StatusOK
	if w.change.Action == plan.ActCreate && mayBe && isOld(resp.Resource, w.since) {
		w.result.Detail = "the directory brought back an account that it had already; what it was a member of, and its roles, may be gone"
	}
}

// isOld says whether a resource was there before a moment of the directory's
// clock, or has been changed before now.
func isOld(resource scim.Resource, since time.Time) bool {
	version := strings.Trim(strings.TrimPrefix(resource.Version, "W/"), `"`)
	if n, err := strconv.ParseInt(version, 10, 64); err == nil && n > 1 {
		return true
	}
	object, err := scim.DecodeObject(resource.Raw)
	if err != nil {
		return false
	}
	created := textIn(object, scim.Path{Attr: "meta", Sub: "created"})
	at, err := time.Parse(time.RFC3339, created)
	return err == nil && at.Before(since.Add(-clockSlack))
}
