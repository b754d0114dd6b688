package main

import (
	"os"
	"testing"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/scim"
)

func TestPaceOutlivesTheSession(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	open := func() *directory {
		c, err := scim.New(scim.Options{BaseURL: "https://directory.example/scim/v2"})
		if err != nil {
			t.Fatal(err)
		}
		return &directory{client: c, name: "https://directory.example/scim/v2"}
	}
	rate := func(d *directory) float64 {
		for _, l := range d.client.Learned().Lanes {
			return l.Rate
		}
		return 0
	}
	known := scim.Learned{At: time.Now(), Lanes: []scim.LearnedLane{{Name: "write", Rate: 5, Weight: 100}}}

	d := open()
	d.keepPace()
	if _, err := os.Stat(paceFile(d.name)); !os.IsNotExist(err) {
		t.Errorf("nothing was learned, and kept all the same: %v", err)
	}
	d.client.Recall(known)
	d.keepPace()
	info, err := os.Stat(paceFile(d.name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("kept as %v, %v", info, err)
	}
	later := open()
	later.recallPace(nil)
	if rate(later) != 5 {
		t.Errorf("a later run recalls %v", later.client.Learned())
	}

	known.Lanes[0].Rate = 7
	dir := t.TempDir()
	log, err := journal.Create(dir, journal.Header{Run: "r", Command: "import"})
	if err != nil {
		t.Fatal(err)
	}
	d = open()
	d.client.Recall(known)
	notePaces(log, d.client)()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := journal.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	resumed := open()
	resumed.recallPace(state)
	if rate(resumed) != 7 {
		t.Errorf("a resume recalls %v: the log goes before the folder", resumed.client.Learned())
	}
}
