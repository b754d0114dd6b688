package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Log is a run's checkpoint log, open for appending. Its methods may be
// called concurrently. Once one of them could not write, all fail with that
// same error: nothing may be sent that the log does not hold.
type Log struct {
	path string
	lock *os.File
	now  func() time.Time
	turn chan struct{} // held by whoever commits

	closed atomic.Bool

	mu      sync.Mutex // guards the fields below, and every write
	file    file
	size    int64       // of the records in the file
	self    os.FileInfo // the file that was opened, to know it again
	session []byte      // the record that opens this session, until it is written
	pending *batch      // intents that the next commit takes along
	stats   Stats       // as last written
	err     error       // the first failure, or ErrEnded
}

// A file is what a Log needs of an *os.File.
type file interface {
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
}

// A batch is what one commit writes and makes durable.
type batch struct {
	text []byte
	done chan struct{} // closed when err is settled
	err  error
}

// Intend returns once the intents are durable. Callers that wait at the same
// time are committed together. After an error nothing may be sent: the
// intents may or may not be in the log, and are in doubt if they are.
func (l *Log) Intend(ctx context.Context, intents []Intent) error {
	if len(intents) == 0 || !recording {
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := appendIntents(nil, intents, l.now())
	if err != nil {
		return fmt.Errorf("record intents: %w", err)
	}
	waiting, err := l.enqueue(text)
	if err != nil {
		return err
	}
	return l.await(ctx, waiting)
}

// enqueue adds records to the batch that the next commit takes.
func (l *Log) enqueue(text []byte) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	if l.pending == nil {
		l.pending = &batch{done: make(chan struct{})}
	}
	l.pending.text = append(l.pending.text, text...)
	return l.pending, nil
}

// await waits until the batch is committed, by somebody else or by itself. No
// timer gathers the group: whatever arrives during one sync is the next batch.
func (l *Log) await(ctx context.Context, waiting *batch) error {
	select {
	case <-waiting.done:
		return waiting.err
	case <-ctx.Done():
		return ctx.Err()
	case l.turn <- struct{}{}:
	}
	defer func() { <-l.turn }()
	select {
	case <-waiting.done:
	default:
		l.flush()
	}
	return waiting.err
}

// flush writes the pending batch and makes it durable. The caller holds turn.
func (l *Log) flush() error {
	l.mu.Lock()
	taken := l.pending
	l.pending = nil
	var text []byte
	if taken != nil {
		text = taken.text
	}
	err := l.write(text)
	l.mu.Unlock()
	if err == nil {
		err = l.sync()
	}
	if taken != nil {
		taken.err = err
		close(taken.done)
	}
	return err
}

// write appends records. A record that gets in by half is cut back, if the
// disk lets us. The caller holds mu.
func (l *Log) write(text []byte) error {
	if l.err != nil || len(text) == 0 {
		return l.err
	}
	if err := l.untouched(); err != nil {
		return l.fail(err)
	}
	if len(l.session) > 0 {
		text = append(l.session, text...)
		l.session = nil
	}
	n, err := l.file.WriteAt(text, l.size)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	if err != nil {
		l.file.Truncate(l.size) // if this fails too, Open cuts the torn tail
		return l.fail(err)
	}
	l.size += int64(n)
	return nil
}

// sync makes durable what was written so far, without holding up those who
// write meanwhile, and then looks whether the log is still the one in place.
func (l *Log) sync() error {
	err := l.file.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if err == nil {
		err = l.inPlace()
	}
	if err != nil {
		return l.fail(err)
	}
	return nil
}

// untouched reports whether the file is as long as we left it: a write would
// hide what somebody cut off or added. The caller holds mu.
func (l *Log) untouched() error {
	now, err := l.file.Stat()
	if err == nil && now.Size() != l.size {
		err = ErrGone
	}
	return err
}

// inPlace reports whether the path still leads to our file and nobody else
// changed its size. The caller holds mu.
func (l *Log) inPlace() error {
	now, err := os.Stat(l.path)
	if errors.Is(err, os.ErrNotExist) {
		return ErrGone
	}
	if err != nil {
		return err
	}
	if !os.SameFile(l.self, now) || now.Size() != l.size {
		return ErrGone
	}
	return nil
}

// fail makes err the answer to this call and to all that follow. The caller
// holds mu.
func (l *Log) fail(err error) error {
	if at, ok := errors.AsType[*os.PathError](err); ok && at.Path == l.path && err == error(at) {
		err = fmt.Errorf("%s: %w", at.Op, at.Err) // the path is said already
	}
	l.err = fmt.Errorf("checkpoint log %s: %w", l.path, err)
	return l.err
}

// append writes records with one write, not waiting for the disk: they
// survive the death of the process, and the next Intend makes them durable.
func (l *Log) append(text []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(text)
}

// Done records outcomes, and the session's totals where they have changed. A
// second outcome of a line does no harm: the first one counts.
func (l *Log) Done(outcomes []Outcome, stats Stats) error {
	if !recording {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	changed := &stats
	if stats == l.stats {
		changed = nil
	}
	text, err := appendDone(nil, outcomes, changed)
	if err != nil {
		return fmt.Errorf("record outcomes: %w", err)
	}
	if err := l.write(text); err != nil {
		return err
	}
	l.stats = stats
	return nil
}

// Steps records what rows have come to for which more is to be done before they
// have their outcome: their intents so far are not in doubt any more. Of several
// steps of a line the first one counts.
func (l *Log) Steps(outcomes []Outcome) error {
	text, err := appendSteps(nil, outcomes)
	if err != nil {
		return fmt.Errorf("record steps: %w", err)
	}
	return l.append(text)
}

// Withdraw takes back intents (their Line and Step) whose requests were not
// sent, or surely not processed, so that resume need not settle them.
func (l *Log) Withdraw(intents []Intent) error {
	if !recording {
		return nil
	}
	text, err := appendVoids(nil, intents)
	if err != nil {
		return fmt.Errorf("withdraw intents: %w", err)
	}
	return l.append(text)
}

// Note records anything else, such as a page of an export. The reader keeps
// notes in order (State.Notes) or hands them on (WithNotes).
func (l *Log) Note(kind string, v any) error {
	value, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("note %s: %w", kind, err)
	}
	text, err := appendJSON(nil, noteRecord{Kind: kindNote, Note: kind, Value: value})
	if err != nil {
		return fmt.Errorf("note %s: %w", kind, err)
	}
	return l.append(text)
}

// Sync returns once everything recorded before the call is durable.
func (l *Log) Sync() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	return l.flush()
}

// Finish ends the session in order and returns once that is durable. Nothing
// can be recorded afterwards.
func (l *Log) Finish(outcome Summary) error {
	text, err := appendJSON(nil, endRecord{Kind: kindEnd, At: l.now().UTC(),
		Finished: outcome.Finished, Exit: outcome.Exit, Read: outcome.Read})
	if err != nil {
		return fmt.Errorf("record the end: %w", err)
	}
	waiting, err := l.enqueue(text) // behind intents that nobody waits for any more
	if err != nil {
		return err
	}
	if err := l.await(context.Background(), waiting); err != nil {
		return err
	}
	return l.end()
}

// end lets nothing more be recorded.
func (l *Log) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.err
	if err == nil {
		l.err = fmt.Errorf("checkpoint log %s: %w", l.path, ErrEnded)
	}
	return err
}

// Close makes everything durable and gives the lock back, which it does even
// when the log had failed; it then returns that failure.
func (l *Log) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.Sync() // a failure stays in l.err
	err := l.end()
	if errors.Is(err, ErrEnded) {
		err = nil
	}
	return errors.Join(err, l.file.Close(), unlock(l.lock))
}

// The records that are written and read by reflection.
type (
	headerRecord struct {
		Kind string `json:"kind"`
		Header
	}
	sessionRecord struct {
		Kind    string    `json:"kind"`
		At      time.Time `json:"at"`
		Session int       `json:"session"`
		Cut     int64     `json:"cut,omitzero"`
	}
	noteRecord struct {
		Kind  string         `json:"kind"`
		Note  string         `json:"note"`
		Value jsontext.Value `json:"value"`
	}
	endRecord struct {
		Kind     string    `json:"kind"`
		At       time.Time `json:"at"`
		Finished bool      `json:"finished"`
		Exit     int       `json:"exit"`
		Read     int64     `json:"read,omitzero"`
	}
)
