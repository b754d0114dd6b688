package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// store writes the directory through to a bbolt file. What flush has
// acknowledged is in the kernel's hands: it survives the death of the process,
// kill -9 included. A power cut may lose it, because nothing waits for the
// disk; a sandbox does not need that, and tests would pay for it.
type store struct {
	db    *bbolt.DB
	audit *auditFile // may be nil

	mu      sync.Mutex
	current *batch
	closed  bool
	wake    chan struct{}
	ended   chan struct{}
}

// batch is what one transaction writes. Whoever put something into it waits
// for done; meanwhile the next batch fills.
type batch struct {
	puts  map[recordKey]*revision
	lines auditLine // for the audit, once the changes are written
	done  chan struct{}
	err   error
}

type recordKey struct {
	kind string
	seq  uint64
}

const storeFile = "directory.db"

var metaBucket = []byte("sandbox")

func newBatch() *batch {
	return &batch{puts: map[recordKey]*revision{}, done: make(chan struct{})}
}

// openStore opens or makes the store in dir and refuses one that belongs to
// another dialect or is open elsewhere.
func openStore(dir, dialect string, audit *auditFile) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox directory %s: %w", dir, err)
	}
	db, err := bbolt.Open(filepath.Join(dir, storeFile), 0o600, &bbolt.Options{
		Timeout:         500 * time.Millisecond,
		NoSync:          true, // see store
		NoGrowSync:      true,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMapping(),
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("sandbox directory %s is open in another process: stop that one, or choose another folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox directory %s: %w", dir, err)
	}
	if err := checkStore(db, dialect); err != nil {
		db.Close()
		return nil, fmt.Errorf("sandbox directory %s: %w", dir, err)
	}
	s := &store{db: db, audit: audit, current: newBatch(), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go s.write()
	return s, nil
}

// initialMapping makes room for some 200,000 people at once, because every
// growth of the mapping copies what a transaction holds. It is only address
// space, except on Windows, where the file would be as large.
func initialMapping() int {
	if runtime.GOOS == "windows" {
		return 0
	}
	return 256 << 20
}

func checkStore(db *bbolt.DB, dialect string) error {
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"User", "Group"} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		want := map[string]string{"format": "1", "dialect": dialect}
		for name, value := range want {
			have := meta.Get([]byte(name))
			if have != nil && string(have) != value {
				return fmt.Errorf("it was made with %s %s, not %s", name, have, value)
			}
			if err := meta.Put([]byte(name), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	})
}

// put queues a revision, or with nil its removal.
func (s *store) put(kind string, seq uint64, rev *revision) {
	s.mu.Lock()
	s.current.puts[recordKey{kind, seq}] = rev
	s.mu.Unlock()
	s.rouse()
}

// note queues an audit line behind the changes that were put before it.
func (s *store) note(l auditLine) {
	s.mu.Lock()
	s.current.lines = append(s.current.lines, l...)
	s.mu.Unlock()
	s.rouse()
}

func (s *store) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// flush waits for everything that was put before it.
func (s *store) flush() error {
	s.mu.Lock()
	b := s.current
	if s.closed {
		s.mu.Unlock()
		return errors.New("the sandbox is closed")
	}
	s.mu.Unlock()
	s.rouse()
	<-b.done
	return b.err
}

// write commits batch after batch; while one is being written the next grows,
// so the busier the directory, the larger the transactions.
func (s *store) write() {
	defer close(s.ended)
	for range s.wake {
		s.mu.Lock()
		b, closed := s.current, s.closed
		s.current = newBatch()
		s.mu.Unlock()
		b.err = s.commit(b)
		close(b.done)
		if closed {
			return
		}
	}
}

func (s *store) commit(b *batch) error {
	if len(b.puts) > 0 {
		if err := s.db.Update(func(tx *bbolt.Tx) error { return writeBatch(tx, b.puts) }); err != nil {
			return err
		}
	}
	if len(b.lines) == 0 {
		return nil
	}
	s.audit.add(b.lines)
	return s.audit.flush()
}

func writeBatch(tx *bbolt.Tx, puts map[recordKey]*revision) error {
	for k, rev := range puts {
		b := tx.Bucket([]byte(k.kind))
		key := binary.BigEndian.AppendUint64(nil, k.seq)
		var err error
		if rev == nil {
			err = b.Delete(key)
		} else {
			err = b.Put(key, encodeRevision(rev))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *store) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.rouse()
	<-s.ended
	return s.db.Close()
}

// load calls f for every revision in the order of creation.
func (s *store) load(kind string, f func(*revision)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(kind)).ForEach(func(k, v []byte) error {
			rev, err := decodeRevision(v)
			if err != nil {
				return fmt.Errorf("record %x: %w", k, err)
			}
			rev.seq = binary.BigEndian.Uint64(k)
			f(rev)
			return nil
		})
	})
}

// fill writes many revisions at once, in the order given.
func (s *store) fill(kind string, revs []*revision) error {
	const chunk = 20_000 // keeps a transaction's pages well below the file's growth steps
	for len(revs) > 0 {
		n := min(chunk, len(revs))
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(kind))
			b.FillPercent = 0.95 // keys only grow here
			for _, rev := range revs[:n] {
				if err := b.Put(binary.BigEndian.AppendUint64(nil, rev.seq), encodeRevision(rev)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		revs = revs[n:]
	}
	return nil
}
