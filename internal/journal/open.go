package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// An Option changes how a log is opened or read.
type Option func(*options)

type options struct {
	now  func() time.Time
	note func(kind string, value jsontext.Value) error
}

// WithClock sets where recorded times come from; time.Now if it is not given.
// Nothing depends on the clock going forward.
func WithClock(now func() time.Time) Option {
	return func(o *options) { o.now = now }
}

// WithNotes hands each note on as it is read, instead of keeping it in State.
// The value is only valid during the call; an error ends the reading.
func WithNotes(take func(kind string, value jsontext.Value) error) Option {
	return func(o *options) { o.note = take }
}

func choose(opts []Option) options {
	o := options{now: time.Now}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// Create starts the log of a new run in dir, which is made if it is not there.
// The log appears whole with its header or not at all; a directory that holds
// a log already is refused (fs.ErrExist).
func Create(dir string, h Header, opts ...Option) (*Log, error) {
	log, err := create(dir, h, choose(opts))
	if err != nil {
		return nil, fmt.Errorf("create checkpoint log: %w", err)
	}
	return log, nil
}

func create(dir string, h Header, o options) (*Log, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	log, err := createLocked(dir, h, o)
	if err != nil {
		return nil, errors.Join(err, unlock(held))
	}
	log.lock = held
	return log, nil
}

func createLocked(dir string, h Header, o options) (*Log, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			err = &os.PathError{Op: "create", Path: path, Err: os.ErrExist}
		}
		return nil, err
	}
	h.Format = Format
	if h.Started.IsZero() {
		h.Started = o.now()
	}
	h.Started = h.Started.UTC()
	text, err := appendJSON(nil, headerRecord{Kind: kindHeader, Header: h})
	if err != nil {
		return nil, err
	}
	if err := place(dir, path, text); err != nil {
		return nil, err
	}
	return attach(path, int64(len(text)), o)
}

// place writes the first record aside and then gives it the log's name. It is
// closed in between, since Windows renames no open file.
func place(dir, path string, text []byte) error {
	aside := filepath.Join(dir, newName)
	err := writeFile(aside, text)
	if err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		os.Remove(aside)
		return err
	}
	return syncDir(dir)
}

func writeFile(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// attach opens the log for appending behind its first size bytes.
func attach(path string, size int64, o options) (*Log, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	self, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Log{path: path, now: o.now, turn: make(chan struct{}, 1),
		file: disk{file}, size: size, self: self}, nil
}

// Open takes the lock, reads and verifies the log in dir, cuts a torn tail and
// returns the log ready for the next session. Errors are *LockError,
// *DamageError, *FormatError and those of the file system (fs.ErrNotExist
// where there is no log).
func Open(dir string, opts ...Option) (*Log, *State, error) {
	log, state, err := open(dir, choose(opts))
	if err != nil {
		return nil, nil, fmt.Errorf("open checkpoint log: %w", err)
	}
	return log, state, nil
}

func open(dir string, o options) (*Log, *State, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err // before a lock file is left where no run ever was
	}
	held, err := lock(dir)
	if err != nil {
		return nil, nil, err
	}
	log, state, err := openLocked(path, o)
	if err != nil {
		return nil, nil, errors.Join(err, unlock(held))
	}
	log.lock = held
	return log, state, nil
}

func openLocked(path string, o options) (*Log, *State, error) {
	state, err := readFile(path, o)
	if err != nil {
		return nil, nil, err
	}
	log, err := attach(path, state.Bytes, o)
	if err != nil {
		return nil, nil, err
	}
	if state.Torn > 0 {
		err = errors.Join(log.file.Truncate(state.Bytes), log.file.Sync())
	}
	if err == nil {
		log.session, err = appendJSON(nil, sessionRecord{Kind: kindSession, At: o.now().UTC(),
			Session: state.Sessions + 1, Cut: state.Torn})
	}
	if err != nil {
		return nil, nil, errors.Join(err, log.file.Close())
	}
	return log, state, nil
}

// Read reads and verifies the log in dir without a lock and without changing
// it; a log that is being written may end in half a record (State.Torn).
// Together with a *DamageError it returns what stands before the damage.
func Read(dir string, opts ...Option) (*State, error) {
	state, err := readFile(filepath.Join(dir, FileName), choose(opts))
	if err != nil {
		return state, fmt.Errorf("read checkpoint log: %w", err)
	}
	return state, nil
}

func readFile(path string, o options) (*State, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	state, err := read(file, path, o)
	if err != nil {
		return state, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	state.Modified = info.ModTime().UTC()
	return state, nil
}

// read reads a log from its first byte to its last.
func read(from io.Reader, path string, o options) (*State, error) {
	r := &reader{lines: lineReader{from: from}, path: path}
	r.state = newState()
	r.decode = decoder{state: r.state, note: o.note}
	err := r.run()
	r.state.settle()
	return r.state, err
}
