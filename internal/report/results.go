package report

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gocarina/gocsv"

	"scimbulk/internal/journal"
	"scimbulk/internal/pipeline"
	"scimbulk/internal/rows"
)

// resultRow is a line of results.csv.
type resultRow struct {
	Line          int64  `csv:"line"`
	Key           string `csv:"key"`
	Op            string `csv:"op"`
	Outcome       string `csv:"outcome"`
	ID            string `csv:"id"`
	Status        string `csv:"status"`
	ScimType      string `csv:"scim_type"`
	Detail        string `csv:"detail"`
	Attempts      int    `csv:"attempts"`
	CorrelationID string `csv:"correlation_id"`
}

// rejectColumns are what rejects.csv adds to the cells of a row. Columns that
// begin with _ are never mapped, so that the file can be fed straight back.
var rejectColumns = [...]string{"_line", "_class", "_error"}

// Files writes results.csv and the rejects of a run. It is not safe for
// concurrent use: the collector of the run alone calls it.
type Files struct {
	Reasons Reasons
	// Changes says that the rows are those of a change set: nobody mends them by
	// hand.
	Changes bool

	dir     string
	format  *rows.Reader // the input, for its header and dialect
	batch   []*resultRow
	results *os.File
	out     *bufio.Writer
	csv     *gocsv.SafeCSVWriter

	rejectsFile *os.File
	rejectsOut  *bufio.Writer
	rejects     *rows.Writer
	earlier     bool // rejects of earlier sessions are there

	absent    *os.File // nil where nobody asks who is absent
	absentOut *bufio.Writer
}

// NewFiles starts the result files of a run in a directory. in is the input,
// whose header the rejects repeat. A plan has rejects and no results. With the state of earlier sessions it goes
// on with their files, without the lines whose outcome did not reach the log:
// those rows are in doubt and get their line again.
func NewFiles(dir string, in *rows.Reader, state *journal.State, results bool) (*Files, error) {
	f := &Files{dir: dir, format: in}
	if state != nil {
		if err := f.keep(state); err != nil {
			return nil, err
		}
	} else if err := f.clear(); err != nil {
		return nil, err
	}
	if !results {
		return f, nil
	}
	fresh := !begun(f.ResultsPath())
	var err error
	if f.results, err = appendTo(f.ResultsPath()); err != nil {
		return nil, err
	}
	f.out = bufio.NewWriter(f.results)
	f.csv = gocsv.NewSafeCSVWriter(csv.NewWriter(f.out))
	if fresh {
		if err := gocsv.MarshalCSV([]*resultRow{}, f.csv); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// begun says whether a file has its header. One that was made and never written
// to is left by a session that died early.
func begun(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// clear takes away what an older run has left in the directory.
func (f *Files) clear() error {
	for _, path := range []string{f.ResultsPath(), f.RejectsPath(), f.absentPath()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// RejectsPath is where the rejects go: rejects.jsonl for JSONL input.
func (f *Files) RejectsPath() string {
	if f.format.Format() == rows.JSONL {
		return filepath.Join(f.dir, "rejects.jsonl")
	}
	return filepath.Join(f.dir, "rejects.csv")
}

// ResultsPath is where the outcomes go.
func (f *Files) ResultsPath() string { return filepath.Join(f.dir, ResultsFile) }

// Record takes one result.
func (f *Files) Record(r *pipeline.Result) error {
	if r.Leaver {
		return f.recordAbsent(r)
	}
	f.batch = append(f.batch, rowOf(r))
	if r.Outcome != pipeline.Rejected {
		return nil
	}
	f.Reasons.Add(r.Row.Line, r.Key, r.Class, r.Text())
	return f.reject(r)
}

func rowOf(r *pipeline.Result) *resultRow {
	row := &resultRow{
		Line: r.Row.Line, Key: r.Key, Op: string(r.Op), Outcome: string(r.Outcome), ID: r.ID,
		ScimType: r.ScimType, Detail: r.Text(), Attempts: r.Attempts, CorrelationID: r.CorrelationID,
	}
	if r.Status > 0 {
		row.Status = strconv.Itoa(r.Status)
	}
	return row
}

func (f *Files) reject(r *pipeline.Result) error {
	if f.rejects == nil {
		if err := f.openRejects(); err != nil {
			return err
		}
	}
	return f.rejects.Write(r.Row, strconv.FormatInt(r.Row.Line, 10), r.Class, r.Text())
}

func (f *Files) openRejects() (err error) {
	if f.rejectsFile, err = appendTo(f.RejectsPath()); err != nil {
		return err
	}
	f.rejectsOut = bufio.NewWriter(f.rejectsFile)
	var out io.Writer = f.rejectsOut
	header := &headerSkipper{out: out, skip: f.earlier}
	f.rejects, err = rows.NewWriter(header, f.format, rejectColumns[:]...)
	if err == nil {
		err = f.rejects.Flush()
	}
	header.skip = false
	return err
}

// headerSkipper leaves the header out where the file has one already.
type headerSkipper struct {
	out  io.Writer
	skip bool
}

func (h *headerSkipper) Write(p []byte) (int, error) {
	if h.skip {
		return len(p), nil
	}
	return h.out.Write(p)
}

// Flush hands everything that was recorded to the operating system.
func (f *Files) Flush() error {
	if f.absent != nil {
		if err := f.absentOut.Flush(); err != nil {
			return err
		}
	}
	if err := f.flushResults(); err != nil || f.rejects == nil {
		return err
	}
	return errors.Join(f.rejects.Flush(), f.rejectsOut.Flush())
}

func (f *Files) flushResults() error {
	if f.results == nil {
		return nil
	}
	if err := gocsv.MarshalCSVWithoutHeaders(f.batch, f.csv); err != nil {
		return err
	}
	f.batch = f.batch[:0]
	return f.out.Flush()
}

// Close makes the files durable.
func (f *Files) Close() error {
	err := errors.Join(f.Flush(), f.closeAbsent())
	if f.results != nil {
		err = errors.Join(err, f.results.Sync(), f.results.Close())
	}
	if f.rejectsFile != nil {
		err = errors.Join(err, f.rejectsFile.Sync(), f.rejectsFile.Close())
	}
	return err
}

// keep rewrites the files of earlier sessions, each line whose row has its
// outcome in the log.
func (f *Files) keep(state *journal.State) error {
	logged := func(line string) bool {
		n, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			return false
		}
		_, done := state.Done(n)
		return done
	}
	if err := f.keepResults(logged); err != nil {
		return err
	}
	if f.format.Format() == rows.JSONL {
		return f.keepRejectLines(logged)
	}
	return f.keepRejects(logged)
}

func (f *Files) keepResults(logged func(line string) bool) error {
	err := filterCSV(f.ResultsPath(), ',', func(record []string) bool {
		return len(record) == 10 && logged(record[0])
	})
	if errors.Is(err, os.ErrNotExist) { // the session ended before it began its files
		return nil
	}
	return err
}

func (f *Files) keepRejects(logged func(line string) bool) error {
	f.earlier = begun(f.RejectsPath())
	err := filterCSV(f.RejectsPath(), f.format.Delimiter(), func(record []string) bool {
		at := len(record) - len(rejectColumns)
		if at < 0 || !logged(record[at]) {
			return false
		}
		line, _ := strconv.ParseInt(record[at], 10, 64) // as logged has done
		f.Reasons.Add(line, "", record[at+1], record[at+2])
		return true
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return err
}

// filterCSV rewrites a file: its header, and the records that keep chooses.
func filterCSV(path string, comma rune, keep func(record []string) bool) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	return rewrite(path, func(out io.Writer) error {
		w := csv.NewWriter(out)
		w.Comma = comma
		first := true
		for record, err := range recordsOf(in, comma) {
			if err != nil {
				return err
			}
			if first || keep(record) {
				if err := w.Write(record); err != nil {
					return err
				}
			}
			first = false
		}
		w.Flush()
		return w.Error()
	})
}

// recordsOf reads the records of a file that a run has written. One that a crash
// has torn is the last, and is left out; any other damage is an error, since
// what follows it would be lost without a word.
func recordsOf(file *os.File, comma rune) iter.Seq2[[]string, error] {
	r := csv.NewReader(bufio.NewReader(file))
	r.Comma, r.FieldsPerRecord = comma, -1
	return func(yield func([]string, error) bool) {
		for {
			record, err := r.Read()
			if err == nil {
				if !yield(record, nil) {
					return
				}
				continue
			}
			if damage := (*csv.ParseError)(nil); errors.As(err, &damage) {
				if _, err = r.Read(); err != io.EOF {
					err = fmt.Errorf("%s is not as the run has written it: %w", file.Name(), damage)
				}
			}
			if err != io.EOF {
				yield(nil, err)
			}
			return
		}
	}
}

// rewrite replaces a file by what fill writes, whole or not at all.
func rewrite(path string, fill func(io.Writer) error) error {
	aside, err := privateFile(path + ".new")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(aside)
	err = errors.Join(fill(out), out.Flush(), aside.Sync(), aside.Close())
	if err != nil {
		os.Remove(aside.Name())
		return err
	}
	return os.Rename(aside.Name(), path)
}
