package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"scimbulk/internal/pipeline"
	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// reading is an export of a sandbox that keeps its pages at a path.
type reading struct {
	box     *sandbox.Sandbox
	client  *scim.Client
	profile scim.Profile
	config  pipeline.Config
	marks   []pipeline.Mark
}

func newReading(t *testing.T, o sandbox.Options, workers int) *reading {
	t.Helper()
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	r := &reading{box: box, profile: scim.Profiles()[0]}
	if o.Dialect == "genesys" {
		r.profile = scim.Profiles()[1]
	}
	r.profile.Rate = 0
	r.client, err = scim.New(scim.Options{
		BaseURL: "http://127.0.0.1" + box.BasePath(), Transport: box.Transport(), Profile: r.profile, Workers: workers,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	resp, err := r.client.ServiceProviderConfig(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	said, err := scim.DecodeObject(resp.Resource.Raw)
	if err != nil {
		t.Fatal(err)
	}
	r.config = pipeline.ReadConfig(said)
	return r
}

func (r *reading) export(workers int) *pipeline.Export {
	return &pipeline.Export{
		Client: r.client, Profile: r.profile, Endpoint: scim.Users, Inactive: pipeline.InactiveInclude,
		Workers: workers, Meter: &pipeline.Meter{}, Thorough: true, Config: r.config,
	}
}

var errKilled = errors.New("killed")

// session goes on with the pages at a path, and dies after some marks; 0 is
// never.
func (r *reading) session(t *testing.T, path, format string, dieAfter int) (*pipeline.Dump, []byte, error) {
	t.Helper()
	pages, err := pipeline.OpenPages(path, r.marks)
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	e := r.export(3)
	e.Pages = pages
	e.Note = func(m pipeline.Mark) error {
		r.marks = append(r.marks, m)
		if dieAfter--; dieAfter == 0 {
			return errKilled
		}
		return nil
	}
	out := &bytes.Buffer{}
	d, err := e.WriteTo(t.Context(), t.Context(), pipeline.File{Path: "-", Format: format, Schema: scim.Builtin("User"), Stdout: out}, nil)
	return d, out.Bytes(), err
}

// TestAKilledExportGoesOn kills an export after each of its pages, more than
// once, and tears the pages behind the last mark: the file is the same, byte for
// byte, as that of an export that nobody disturbed.
func TestAKilledExportGoesOn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, format string
		options      sandbox.Options
		wait         time.Duration // between two sessions
	}{
		{name: "csv", format: pipeline.FormatCSV, options: sandbox.Options{Seed: 120, PageCap: 17}},
		{name: "jsonl", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 120, PageCap: 17}},
		{name: "genesys", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 120, Dialect: "genesys"}},
		{name: "unsorted", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 90, PageCap: 17, Faults: []string{"ignore-sort"}}},
		{name: "short pages", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 60, PageCap: 17, Faults: []string{"short-pages=3"}}},
		{name: "by cursor", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 90, PageCap: 17, Faults: []string{"ignore-start-index"}}},
		{name: "by cursors that expire", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 90, PageCap: 17, Faults: []string{"ignore-start-index"}}, wait: time.Hour},
		{name: "by name", format: pipeline.FormatJSONL, options: sandbox.Options{Seed: 60, PageCap: 17, Faults: []string{"ignore-start-index", "no-cursor"}}},
		{name: "inactive people hidden", format: pipeline.FormatCSV, options: sandbox.Options{Seed: 90, PageCap: 17, Faults: []string{"hidden-inactive"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))) // the made-up people are of 2024
				dir := t.TempDir()
				r := newReading(t, tc.options, 3)
				whole, want, err := r.session(t, filepath.Join(dir, "whole"), tc.format, 0)
				if err != nil {
					t.Fatal(err)
				}
				for first := 1; first <= len(r.marks); first += max(1, len(r.marks)/6) {
					d, got := r.killed(t, filepath.Join(dir, "pages"), tc.format, tc.wait, first, 2)
					if !bytes.Equal(got, want) {
						t.Errorf("killed after %d pages: %d bytes, not the %d of an export that was not", first, len(got), len(want))
					}
					if d.Listing.Read != whole.Listing.Read {
						t.Errorf("killed after %d pages: %d resources, want %d", first, d.Listing.Read, whole.Listing.Read)
					}
				}
			})
		})
	}
}

// killed runs sessions that die after so many marks each, and then one that does
// not.
func (r *reading) killed(t *testing.T, path, format string, wait time.Duration, deaths ...int) (*pipeline.Dump, []byte) {
	t.Helper()
	other := &reading{box: r.box, client: r.client, profile: r.profile, config: r.config}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	for _, dieAfter := range deaths {
		d, got, err := other.session(t, path, format, dieAfter)
		if err == nil {
			return d, got
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(`{"id":"half of a`); err != nil {
			t.Fatal(err)
		}
		file.Close()
		time.Sleep(wait)
	}
	d, got, err := other.session(t, path, format, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d, got
}

// TestPagesThatTheDiskLost: what the log notes and the file does not hold is read
// again.
func TestPagesThatTheDiskLost(t *testing.T) {
	dir := t.TempDir()
	r := newReading(t, sandbox.Options{Seed: 120, PageCap: 17}, 3)
	_, want, err := r.session(t, filepath.Join(dir, "whole"), pipeline.FormatJSONL, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(path string, size int64) error{
		"all of it": func(path string, _ int64) error { return os.Remove(path) },
		"the end":   func(path string, size int64) error { return os.Truncate(path, size/2) },
		"to zeros": func(path string, size int64) error {
			return errors.Join(os.Truncate(path, size/2), os.Truncate(path, size))
		},
		"the newest": func(path string, size int64) error { return os.Truncate(path, size-1) },
		"none of it": func(string, int64) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pages")
			again := &reading{box: r.box, client: r.client, profile: r.profile, config: r.config}
			if _, _, err := again.session(t, path, pipeline.FormatJSONL, 4); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if err := spoil(path, again.marks[len(again.marks)-1].Bytes); err != nil {
				t.Fatal(err)
			}
			if _, got, err := again.session(t, path, pipeline.FormatJSONL, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: %d bytes, want %d", err, len(got), len(want))
			}
		})
	}
}

// TestAnInterruptedExportDrains: once no more pages are to be read, those in hand
// are kept, and a later session goes on behind them.
func TestAnInterruptedExportDrains(t *testing.T) {
	r := newReading(t, sandbox.Options{Seed: 120, PageCap: 10}, 3)
	path := filepath.Join(t.TempDir(), "pages")
	pages, err := pipeline.OpenPages(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	take, stop := context.WithCancelCause(t.Context())
	e := r.export(3)
	e.Pages, e.Note = pages, func(m pipeline.Mark) error {
		if r.marks = append(r.marks, m); len(r.marks) == 3 {
			stop(pipeline.ErrInterrupted)
		}
		return nil
	}
	_, err = e.WriteTo(take, t.Context(), pipeline.File{Path: "-", Format: pipeline.FormatJSONL, Schema: scim.Builtin("User"), Stdout: &bytes.Buffer{}}, nil)
	if !errors.Is(err, pipeline.ErrInterrupted) {
		t.Fatalf("%v, want an interruption", err)
	}
	if err := pages.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(r.marks); n < 3 || n > 3+2*3+1 {
		t.Errorf("%d pages were kept, want those that were read and those in hand", n)
	}
	before := r.client.Stats().Total
	d, _, err := r.session(t, path, pipeline.FormatJSONL, 0)
	if err != nil || d.Listing.Read != 120 || d.Listing.Grade != pipeline.GradeA {
		t.Fatalf("%v %+v, want 120 people and grade A", err, d)
	}
	if sent := r.client.Stats().Total - before; sent > 14 {
		t.Errorf("%d requests to go on with, as if it had begun anew", sent)
	}
}

// TestExportRequests: an export costs a request a page, and at most ten more,
// which is a twentieth of 200 pages.
func TestExportRequests(t *testing.T) {
	t.Parallel()
	const page = 100
	people := unlessLong(4000, 20_000)
	r := newReading(t, sandbox.Options{Seed: people, PageCap: page}, 8)
	out := &bytes.Buffer{}
	d, err := r.export(8).WriteTo(t.Context(), t.Context(), pipeline.File{Path: "-", Format: pipeline.FormatJSONL, Stdout: out}, nil)
	if err != nil || d.Resources != int64(people) || d.Listing.Grade != pipeline.GradeA {
		t.Fatalf("%v %+v", err, d)
	}
	schemas := int64(1) // which the command asks for besides
	if sent, most := r.client.Stats().Total+schemas, int64(people/page+10); sent > most {
		t.Errorf("%d requests, want %d at most", sent, most)
	}
}

// TestWorkersShareTheWaiting: against a directory whose answers take time, N
// workers are at least 0.8 N times as fast as one.
func TestWorkersShareTheWaiting(t *testing.T) {
	t.Parallel()
	const people, page = 1500, 5
	took := func(workers int) (d time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))) // the made-up people are of 2024
			r := newReading(t, sandbox.Options{Seed: people, PageCap: page, Latency: 50 * time.Millisecond}, workers)
			began := time.Now()
			dump, err := r.export(workers).WriteTo(t.Context(), t.Context(), pipeline.File{Path: "-", Format: pipeline.FormatJSONL, Stdout: &bytes.Buffer{}}, nil)
			if err != nil || dump.Resources != people {
				t.Fatal(err, dump)
			}
			d = time.Since(began)
		})
		return d
	}
	one := took(1)
	for _, workers := range []int{2, 4, 8, 16} {
		times := float64(one) / float64(took(workers))
		t.Logf("%d workers: %.1f times as fast as one", workers, times)
		if times < 0.8*float64(workers) {
			t.Errorf("%d workers are %.1f times as fast as one, want %.1f", workers, times, 0.8*float64(workers))
		}
	}
}
