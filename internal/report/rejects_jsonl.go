package report

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strconv"

	"scimbulk/internal/scim"
)

// keepRejectLines is keepRejects for rejects.jsonl. A line that was no JSON
// object in the input cannot say which row it is, and stays.
func (f *Files) keepRejectLines(logged func(line string) bool) error {
	in, err := os.Open(f.RejectsPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	return rewrite(f.RejectsPath(), func(out io.Writer) error {
		for r := bufio.NewReader(in); ; {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return nil
			}
			object, err := scim.DecodeObject(line)
			if at, _ := object["_line"].(string); err == nil && !logged(at) {
				continue
			}
			class, _ := object["_class"].(string)
			reason, _ := object["_error"].(string)
			if class != "" {
				at, _ := object["_line"].(string)
				line, _ := strconv.ParseInt(at, 10, 64)
				f.Reasons.Add(line, "", class, reason)
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
	})
}
