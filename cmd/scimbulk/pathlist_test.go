package main

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// TestPathList reads paths as a shell hands them over, and as a run keeps them.
func TestPathList(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{name: "none"},
		{name: "empty", args: []string{""}},
		{name: "one", args: []string{"userName"}, want: []string{"userName"}},
		{name: "commas", args: []string{"userName,name.givenName"}, want: []string{"userName", "name.givenName"}},
		{name: "again", args: []string{"userName", "title,active"}, want: []string{"userName", "title", "active"}},
		{name: "a filter", args: []string{`userName,emails[type eq "work"].value,title`}, want: []string{"userName", `emails[type eq "work"].value`, "title"}},
		{name: "a filter with all of it", args: []string{`x[display eq "a],b,\"c"].value`, "title"}, want: []string{`x[display eq "a],b,\"c"].value`, "title"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parse := func(args []string) (*pflag.FlagSet, []string) {
				var got []string
				f := pflag.NewFlagSet("", pflag.ContinueOnError)
				f.Var(pathList{&got}, "attributes", "")
				if err := f.Parse(args); err != nil {
					t.Fatal(err)
				}
				return f, got
			}
			var args []string
			for _, a := range tt.args {
				args = append(args, "--attributes", a)
			}
			f, got := parse(args)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			fresh, _ := parse(nil)
			if _, again := parse(keptFlags(f, fresh)); !slices.Equal(again, tt.want) {
				t.Errorf("kept and read again: %q, want %q", again, tt.want)
			}
		})
	}
}
