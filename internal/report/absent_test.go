package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadAbsent reads the file of the absent as a crash, or an editor, has left
// it.
func TestReadAbsent(t *testing.T) {
	const (
		header = "line,key,op,outcome,id,status,scim_type,detail,attempts,correlation_id\n"
		ann    = "7,ann,deactivate,pending,1,,,,0,\n"
		bob    = "8,bob,deactivate,pending,2,,,,0,\n"
		done   = "7,ann,deactivate,deactivated,1,200,,,1,\n"
	)
	tests := []struct {
		name, text string
		want       string // outcomes in order
		fault      string
	}{
		{name: "whole", text: header + ann + bob, want: "pending pending"},
		{name: "an outcome takes the place of a pending line", text: header + ann + bob + done, want: "deactivated pending"},
		{name: "torn between cells", text: header + ann + bob + "7,ann,deac", want: "pending pending"},
		{name: "torn within quotes", text: header + ann + bob + `7,ann,deactivate,rejected,1,400,,"it said`, want: "pending pending"},
		{name: "a quote gone in the middle", text: header + "7,a\"nn,deactivate,pending,1,,,,0,\n" + bob, fault: "absent.csv is not as the run has written it: parse error on line 2"},
		{name: "a line cut in the middle", text: header + "7,ann\n" + bob, fault: "absent.csv is not as the run has written it: record 2 cannot be read"},
		{name: "a line without a number", text: header + strings.Replace(ann, "7", "seven", 1) + bob, fault: "record 2 cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), AbsentFile)
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			lines, err := readAbsent(path)
			var got []string
			for _, l := range lines {
				got = append(got, l.Outcome)
			}
			switch {
			case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("error %v, want %q", err, tt.fault)
			case tt.fault == "" && (err != nil || strings.Join(got, " ") != tt.want):
				t.Errorf("%q, error %v; want %q", got, err, tt.want)
			}
		})
	}
}

// TestReadAbsentCountsPeople refuses a file that names fewer people than were
// found.
func TestReadAbsentCountsPeople(t *testing.T) {
	dir := t.TempDir()
	text := "line,key,op,outcome,id,status,scim_type,detail,attempts,correlation_id\n7,ann,deactivate,pending,1,,,,0,\n"
	if err := os.WriteFile(filepath.Join(dir, AbsentFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAbsent(dir, "deactivate", 2); err == nil || !strings.Contains(err.Error(), "should name 2 people and names 1") {
		t.Errorf("error %v", err)
	}
}
