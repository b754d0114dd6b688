package pipeline

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"net/http"
	"slices"
	"sync/atomic"

	"scimbulk/internal/scim"
)

// memberSet is who is in a group, as 64-bit hashes of ids.
type memberSet map[uint64]struct{}

// memberSeed is one for a run, so that sets are made and asked alike.
type memberSeed struct{ seed maphash.Seed }

func (s memberSeed) put(set memberSet, id string)  { set[maphash.String(s.seed, id)] = struct{}{} }
func (s memberSeed) drop(set memberSet, id string) { delete(set, maphash.String(s.seed, id)) }
func (s memberSeed) has(set memberSet, id string) bool {
	_, in := set[maphash.String(s.seed, id)]
	return in
}

// members reads who is in a group.
func (r *memberRun) members(ctx context.Context, id string) (memberSet, error) {
	resp, err := r.Client.Get(ctx, scim.Groups, id, scim.ReadOptions{})
	if err != nil {
		return nil, err
	}
	set := memberSet{}
	if err := resp.Resource.MemberIDs(func(id string) { r.put(set, id) }); err != nil {
		return nil, &scim.Error{Method: http.MethodGet, Path: string(scim.Groups), Status: resp.Status, CorrelationID: resp.CorrelationID, Err: err}
	}
	if len(set) > 0 {
		r.shown.CompareAndSwap(membersUnknown, membersShown)
	}
	return set, nil
}

// showing is what is known of whether groups show their members. Some
// directories always show an empty list, though their users or their filters
// know better.
type showing struct{ atomic.Int32 }

const (
	membersUnknown int32 = iota
	membersShown
	membersHidden
)

// How many groups are looked at before the first is decided, and how many of
// those who are to leave are asked after in each that looks empty.
const (
	probedGroups = 5
	probedRows   = 3
)

// learnShowing finds out whether groups show who is in them, before the first
// is decided: in the first that does, or from users who are to leave a group
// that looks empty and say to be in it. Where neither is to be had, groups are
// believed. Who is only to come in is sent in either case.
func (r *memberRun) learnShowing(ctx context.Context) error {
	if r.Profile.HidesMembers {
		r.shown.Store(membersHidden)
	}
	probed := 0
	for rest := r.rows; len(rest) > 0 && probed < probedGroups && r.shown.Load() == membersUnknown; {
		n := oneGroup(rest)
		leaving := slices.DeleteFunc(slices.Clone(rest[:n]), func(m memberRow) bool { return !m.remove })
		if len(leaving) > 0 {
			probed++
			g := &memberGroup{memberRun: r, id: r.book.groupID(&rest[0]), rows: leaving[:min(len(leaving), probedRows)]}
			if err := g.probe(ctx); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	return nil
}

// probe asks after those whom the rows of the group name, if it looks empty.
func (g *memberGroup) probe(ctx context.Context) error {
	set, err := g.members(ctx, g.id)
	if err != nil {
		return stopsRun(ctx, err) // the group itself will say what is wrong with it
	}
	for i := 0; i < len(g.rows) && len(set) == 0; i++ {
		s, err := g.book.begin(&g.rows[i])
		if err != nil {
			return err
		}
		if in, err := g.isInUnseen(ctx, s.user); in || err != nil {
			return err
		}
	}
	return nil
}

// isInUnseen says whether somebody is in the group whom the group does not
// show: the user says so, or a filter that does not find just anybody.
func (g *memberGroup) isInUnseen(ctx context.Context, user string) (bool, error) {
	in, err := g.userSays(ctx, user)
	if err == nil && !in {
		in, err = g.filterSays(ctx, user)
	}
	if err != nil {
		return false, stopsRun(ctx, err) // a directory that refuses the question has nothing to say
	}
	if in {
		g.shown.Store(membersHidden)
	}
	return in, nil
}

func (g *memberGroup) userSays(ctx context.Context, user string) (bool, error) {
	resp, err := g.Client.Get(ctx, scim.Users, user, scim.ReadOptions{})
	if err != nil {
		return false, err
	}
	return slices.Contains(resp.Resource.DirectGroups(), g.id), nil
}

func (g *memberGroup) filterSays(ctx context.Context, user string) (bool, error) {
	found, err := g.search(ctx, user)
	if err != nil || !found {
		return false, err
	}
	anybody, err := g.search(ctx, rand.Text())
	return !anybody, err
}

// search looks for the group among those that somebody is a member of.
func (g *memberGroup) search(ctx context.Context, user string) (found bool, err error) {
	page, err := g.Client.List(ctx, scim.Groups, scim.ListOptions{Filter: scim.IsMember(g.id, user), Count: -1})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(page.Resources, func(r scim.Resource) bool { return r.ID == g.id }), nil
}
