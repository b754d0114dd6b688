package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// mappingText is a mapping such as people write: columns, a transform, two
// expressions, an extension.
const mappingText = `resource: User
attributes:
  userName: {column: Work Email, transform: lower}
  name.givenName: First Name
  name.familyName: Last Name
  displayName: =first_name + " " + last_name
  active: =status == "Active"
  emails[type eq "work"].value: Work Email
  phoneNumbers[type eq "work"].value: {column: Phone, transform: phone, region: US}
  title: Title
  addresses[type eq "work"].locality: City
  addresses[type eq "work"].country: Country
  enterprise:employeeNumber: Number
  enterprise:department: Department
`

// people writes a file of made-up people, n of them, whose titles are as given
// from row changed on.
func people(path string, n int, title func(i int) string) error {
	return copyTo(path, func(w *bufio.Writer) error {
		fmt.Fprintln(w, "Work Email,First Name,Last Name,Status,Phone,Title,City,Country,Number,Department,Cost Centre,Notes")
		for i := range n {
			_, err := fmt.Fprintf(w, "Person.%d@bench.example,Given%d,Family%d,Active,(555) 200-%04d,%s,Town %d,US,%08d,Department %d,%d,row %d of a file\n",
				i, i%977, i%7919, i%10_000, title(i), i%500, i, i%40, i%13, i)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func oneTitle(int) string { return "Agent" }

// input is a file of people with its mapping.
type input struct{ file, mapping string }

func (b *bench) input(n int, title func(int) string) (*input, error) {
	dir, err := b.fresh("input-*")
	if err != nil {
		return nil, err
	}
	in := &input{filepath.Join(dir, "people.csv"), filepath.Join(dir, "people.mapping.yaml")}
	if err := os.WriteFile(in.mapping, []byte(mappingText), 0o600); err != nil {
		return nil, err
	}
	return in, people(in.file, n, title)
}

// bodies are the requests that an import of the input sends, a line each, as
// its plan has them.
func (b *bench) bodies(ctx context.Context, in *input) (string, error) {
	s, err := b.sandbox(ctx)
	if err != nil {
		return "", err
	}
	defer s.stop()
	planned := in.file + ".plan.jsonl"
	if _, err := b.scimbulk(ctx, s, "plan", in.file, "-m", in.mapping, "--out", planned, "--progress", "none"); err != nil {
		return "", err
	}
	f, err := os.Open(planned)
	if err != nil {
		return "", err
	}
	defer f.Close()
	path := in.file + ".bodies.jsonl"
	return path, copyTo(path, func(w *bufio.Writer) error { return extractBodies(f, w) })
}

func extractBodies(f *os.File, w *bufio.Writer) error {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var change struct{ Body json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &change); err != nil {
			return err
		}
		if change.Body != nil {
			w.Write(bytes.TrimSpace(change.Body))
			w.WriteByte('\n')
		}
	}
	return lines.Err()
}
