package main

import "github.com/spf13/pflag"

// notResumed are flags that belong to a session and not to the run.
var notResumed = map[string]bool{
	"run-dir": true, "progress": true, "json": true, "quiet": true, "yes": true, "max-duration": true, "help": true,
	"url": true, "region": true, "sandbox": true, "provider": true, "token-file": true, "token-url": true, "insecure-http": true,
	"target": true, "config": true,
}

// keptFlags writes the flags of a run that are not as they are by default, so
// that they can be parsed again. Secrets are not among them, since no flag takes
// one. A list is one flag for each of its values.
func keptFlags(given, fresh *pflag.FlagSet) []string {
	var args []string
	given.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		if notResumed[f.Name] || value == fresh.Lookup(f.Name).Value.String() {
			return
		}
		values := []string{value}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}
