package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"scimbulk/internal/pipeline"
)

// checkOut sees that a flag names a path at which a file can be put, before any
// work is done for it. A file is written aside and renamed, which a device or a
// pipe would not survive.
func checkOut(flag, path string) error {
	if path == "" || path == "-" {
		return nil
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s %s: there is no folder %s to write it into", flag, path, folder)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s %s is a folder: name a file in it", flag, path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s %s is no ordinary file: write to standard output with --out - and redirect it", flag, path)
	}
	return nil
}

// bindVerify binds --verify.
func (o *importOptions) bindVerify(f *pflag.FlagSet) {
	f.StringVar(&o.verify, "verify", pipeline.VerifyNone,
		"read back what was written, a request each: none, sample (the first of each kind and every 50th) or all; memberships are always read back")
}

// checkVerify says what is wrong with --verify; undo has none.
func (o *importOptions) checkVerify() []error {
	return oneOf(nil, "--verify", o.verify, "", pipeline.VerifyNone, pipeline.VerifySample, pipeline.VerifyAll)
}

// bindPage binds --html.
func (o *importOptions) bindPage(f *pflag.FlagSet) {
	f.StringVar(&o.html, "html", "", "plan: write the plan as one HTML page to `FILE`, for a change ticket")
}

// checkPage says what is wrong with --html and --verify.
func (o *importOptions) checkPage() []error {
	problems := o.checkVerify()
	if o.html != "" && !o.dryRun {
		problems = append(problems, usagef("--html goes with plan or --dry-run"))
	}
	if o.html == "-" {
		problems = append(problems, usagef("--html - : the page goes to a file, not to standard output"))
	}
	if err := checkOut("--html", o.html); err != nil {
		problems = append(problems, err)
	}
	return problems
}
