package rows

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// stream is a file as bytes of text: decompressed, and counted as it is read.
type stream struct {
	file    *os.File
	read    int64 // bytes taken from the file
	text    io.Reader
	release func()
}

// countingReader counts the bytes that a progress bar shows.
type countingReader struct {
	io.Reader
	n *int64
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	return n, err
}

// The first bytes of compressed files (RFC 1952 §2.3.1, RFC 8878 §3.1.1).
const (
	gzipMagic = "\x1f\x8b"
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// zstdWindow bounds the memory that a file can ask for: the default of the
// zstd command is 8 MiB, its --ultra levels go to 128 MiB.
const zstdWindow = 128 << 20

// openStream reads file from where it stands. Compression is known by the
// first bytes, whatever the name says.
func openStream(file *os.File) (*stream, error) {
	s := &stream{file: file, release: func() {}}
	in := bufio.NewReaderSize(countingReader{file, &s.read}, 64<<10)
	magic, _ := in.Peek(len(zstdMagic)) // an error shows itself at the first read
	switch {
	case strings.HasPrefix(string(magic), gzipMagic):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("reading gzip: %w", err)
		}
		s.text = z
	case string(magic) == zstdMagic:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, fmt.Errorf("reading zstd: %w", err)
		}
		s.text, s.release = z, z.Close
	default:
		s.text = in
	}
	return s, nil
}

// formatOf knows a format by a file's name, a compressed one's by what stands
// before .gz or .zst; "" where the name does not say.
func formatOf(path string) Format {
	name := strings.ToLower(path)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch {
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"):
		return JSONL
	case strings.HasSuffix(name, ".tsv"), strings.HasSuffix(name, ".tab"):
		return TSV
	case strings.HasSuffix(name, ".csv"):
		return CSV
	}
	return ""
}

// formatBy knows a format by how the text begins.
func formatBy(text []byte) Format {
	if text = bytes.TrimLeft(text, " \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return JSONL
	}
	return CSV
}
