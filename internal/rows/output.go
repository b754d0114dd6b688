package rows

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Output is a file that is whole or not there: it is written aside, and takes
// its place when [Output.Commit] is called. A name that ends in .gz or .zst is
// compressed. The name - is standard output, which cannot be taken back.
type Output struct {
	path   string
	aside  *os.File // nil for standard output
	sum    hash.Hash
	bytes  int64
	buffer *bufio.Writer
	packer io.WriteCloser // nil where nothing is compressed
	top    io.Writer
}

// Create begins an output. stdout is where - goes.
func Create(path string, stdout io.Writer) (*Output, error) {
	if path == "-" {
		return newOutput(path, nil, stdout)
	}
	aside, err := Aside(path)
	if err != nil {
		return nil, err
	}
	return newOutput(path, aside, aside)
}

// CreateAt begins an output that is written at aside until it is whole: one that
// takes long is to leave nothing of itself beside its path.
func CreateAt(aside, path string) (*Output, error) {
	file, err := os.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return newOutput(path, file, file)
}

func newOutput(path string, aside *os.File, sink io.Writer) (*Output, error) {
	o := &Output{path: path, aside: aside, sum: sha256.New()}
	o.buffer = bufio.NewWriterSize(io.MultiWriter(sink, o.sum, (*counter)(&o.bytes)), 64<<10)
	o.top = o.buffer
	if err := o.pack(); err != nil {
		o.Discard()
		return nil, err
	}
	return o, nil
}

func (o *Output) pack() (err error) {
	switch {
	case strings.HasSuffix(o.path, ".gz"):
		o.packer = gzip.NewWriter(o.buffer)
	case strings.HasSuffix(o.path, ".zst"):
		o.packer, err = zstd.NewWriter(o.buffer, zstd.WithEncoderConcurrency(1))
	default:
		return nil
	}
	o.top = o.packer
	return err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Write adds to the output.
func (o *Output) Write(p []byte) (int, error) { return o.top.Write(p) }

// Commit makes the output durable and puts it in its place.
func (o *Output) Commit() error {
	err := o.finish()
	if o.aside == nil {
		return err
	}
	err = errors.Join(err, o.aside.Sync(), o.aside.Close())
	if err == nil {
		err = o.move()
	}
	if err != nil {
		os.Remove(o.aside.Name())
		return err
	}
	return syncDir(filepath.Dir(o.path))
}

// move puts what was written aside in its place. Where that is on another volume,
// a copy is made beside it first.
func (o *Output) move() error {
	from := o.aside.Name()
	moved := os.Rename(from, o.path)
	if moved == nil || filepath.Dir(from) == filepath.Dir(o.path) {
		return moved
	}
	near, err := Aside(o.path)
	if err != nil {
		return err
	}
	if err = errors.Join(copyFile(near, from), near.Sync(), near.Close()); err == nil {
		err = os.Rename(near.Name(), o.path)
	}
	if err != nil {
		os.Remove(near.Name())
		return err
	}
	return os.Remove(from)
}

func copyFile(to io.Writer, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

func (o *Output) finish() error {
	if o.packer != nil {
		if err := o.packer.Close(); err != nil {
			return err
		}
	}
	return o.buffer.Flush()
}

// Discard lets go of an output that is not to be; after Commit it does nothing.
func (o *Output) Discard() {
	if o.aside != nil {
		o.aside.Close()
		os.Remove(o.aside.Name())
	}
}

// SHA256 and Bytes describe the file once it is committed.
func (o *Output) SHA256() string { return hex.EncodeToString(o.sum.Sum(nil)) }

// Bytes is the size of the file.
func (o *Output) Bytes() int64 { return o.bytes }

// syncDir makes a rename durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, os.ErrInvalid) && !errors.Is(err, errors.ErrUnsupported) && !os.IsPermission(err) {
		return err
	}
	return nil
}
