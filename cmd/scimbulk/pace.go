package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"scimbulk/internal/journal"
	"scimbulk/internal/scim"
)

// What is learned of a directory's limits outlives the session: in the
// checkpoint log for a resume, and in the user's state folder, by directory, for
// later runs. It is of use and not of need: that it cannot be read or kept
// stops nothing.

// notePace is the kind of the note in the checkpoint log.
const notePace = "pace"

// notePaceEvery: what a kill makes the next session learn again is little.
const notePaceEvery = 30 * time.Second

// recallPace lets the client begin where an earlier session has stopped.
func (d *directory) recallPace(state *journal.State) {
	var known scim.Learned
	if state != nil {
		if note, ok := state.Note(notePace); ok && json.Unmarshal(note, &known) == nil && known.Known() {
			d.client.Recall(known)
			return
		}
	}
	if text, err := os.ReadFile(paceFile(d.name)); err == nil && json.Unmarshal(text, &known) == nil {
		d.client.Recall(known)
	}
}

// keepPace writes what was learned to the user's state folder.
func (d *directory) keepPace() {
	known := d.client.Learned()
	path := paceFile(d.name)
	if path == "" || !known.Known() {
		return
	}
	text, err := json.Marshal(known)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	aside, err := os.CreateTemp(filepath.Dir(path), ".pace-*") // mode 0600
	if err != nil {
		return
	}
	_, err = aside.Write(append(text, '\n'))
	err = errors.Join(err, aside.Close())
	if err == nil {
		err = os.Rename(aside.Name(), path)
	}
	if err != nil {
		_ = os.Remove(aside.Name())
	}
}

// paceFile is the file of a directory, "" where there is no place for it. Its
// name does not show whose directory it is.
func paceFile(target string) string {
	dir := stateDir()
	if dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(target))
	return filepath.Join(dir, "scimbulk", "pace", hex.EncodeToString(sum[:8])+".json")
}

// stateDir is the user's folder for what programs remember.
func stateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state")
}

// notePaces writes what has been learned to the log once there is something, and
// then now and then, until stop is called, and once more then.
func notePaces(log *journal.Log, client *scim.Client) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var noted time.Time
		for {
			select {
			case <-tick.C:
				if time.Since(noted) >= notePaceEvery && noteLearned(log, client) {
					noted = time.Now()
				}
			case <-done:
				noteLearned(log, client)
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// noteLearned says whether there was something to note.
func noteLearned(log *journal.Log, client *scim.Client) bool {
	known := client.Learned()
	if known.Known() {
		_ = log.Note(notePace, known) // a log that fails is found out by what matters more
	}
	return known.Known()
}
