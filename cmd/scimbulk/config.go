package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// config is the file of named targets.
type config struct {
	Targets map[string]namedTarget `yaml:"targets"`
}

// namedTarget is a directory that has a name. It holds no secret: those stay in
// the environment and in the file that TokenFile names.
type namedTarget struct {
	URL       string  `yaml:"url,omitempty" json:"url,omitempty"`
	Region    string  `yaml:"region,omitempty" json:"region,omitempty"`
	Provider  string  `yaml:"provider,omitempty" json:"provider,omitempty"`
	TokenFile string  `yaml:"token-file,omitempty" json:"token_file,omitempty"`
	TokenURL  string  `yaml:"token-url,omitempty" json:"token_url,omitempty"`
	Workers   int     `yaml:"workers,omitempty" json:"workers,omitempty"`
	Rate      float64 `yaml:"rate,omitempty" json:"rate,omitempty"`
}

// targetName is what a target may be called: a word that needs no quotes in a
// shell or in YAML.
var targetName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

func bindConfig(f *pflag.FlagSet, path *string) {
	f.StringVar(path, "config", "", "`file` of named targets (default: scimbulk/config.yaml in the user's config directory)")
}

// configPath is the file that is given, or the default one.
func configPath(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for named targets is known, give one with --config: %w", err)
	}
	return filepath.Join(dir, "scimbulk", "config.yaml"), nil
}

// loadConfig reads the file; one that is not there holds no targets.
func loadConfig(path string) (*config, error) {
	c := &config{Targets: map[string]namedTarget{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return c, nil
	}
	if err := yaml.Load(text, c, yaml.WithKnownFields()); err != nil {
		return nil, configFault(path, err)
	}
	if c.Targets == nil {
		c.Targets = map[string]namedTarget{}
	}
	return c, nil
}

// configFault says where the file is wrong, and what belongs into it.
func configFault(path string, err error) error {
	if list, ok := errors.AsType[*yaml.LoadErrors](err); ok && len(list.Errors) > 0 {
		err = list.Errors[0]
	}
	place, message := path, err.Error()
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		place, message = fmt.Sprintf("%s:%d", path, one.Mark.Line), one.Message
	}
	if field, _, unknown := strings.Cut(message, " not found in type"); unknown {
		message = field + " is not known here"
	}
	return fmt.Errorf("%s: %s; a target has url or region, provider, token-file, token-url, workers and rate, and no secret: those stay in the environment and in the token file", place, message)
}

// save writes the file whole or not at all, for its owner alone.
func (c *config) save(path string) error {
	text, err := yaml.Dump(c)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	aside, err := os.CreateTemp(dir, ".config.*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // no-op once it has moved
	_, err = aside.Write(text)
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}

func (c *config) names() []string { return slices.Sorted(maps.Keys(c.Targets)) }

// find is the target of a name, or says which names there are.
func (c *config) find(name, path string) (namedTarget, error) {
	if t, ok := c.Targets[name]; ok {
		return t, nil
	}
	known := "there is none yet: scimbulk target add NAME --url URL"
	if names := c.names(); len(names) > 0 {
		known = "known are " + strings.Join(names, ", ")
	}
	return namedTarget{}, fmt.Errorf("%s has no target %q: %s", path, name, known)
}

// fromConfig takes over what the named target says and the command line does
// not.
func (t *targetOptions) fromConfig() error {
	path, err := configPath(t.config)
	if err != nil {
		return err
	}
	c, err := loadConfig(path)
	if err != nil {
		return err
	}
	named, err := c.find(t.name, path)
	if err != nil {
		return err
	}
	t.url, t.region = named.URL, named.Region
	t.provider = cmp.Or(t.provider, named.Provider)
	t.tokenFile = cmp.Or(t.tokenFile, named.TokenFile)
	t.tokenURL = cmp.Or(t.tokenURL, named.TokenURL)
	if t.workers == 0 {
		t.workers = named.Workers
	}
	if t.rate == 0 {
		t.rate = named.Rate
	}
	return nil
}
