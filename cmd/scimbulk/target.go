package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"scimbulk/internal/sandbox"
	"scimbulk/internal/scim"
)

// defaultSandbox is where --sandbox keeps its people, so that an import and a
// later export see the same ones.
var defaultSandbox = filepath.Join(".scimbulk", "sandbox")

const defaultTimeout = 30 * time.Second

// targetOptions say which directory a command talks to, and how.
type targetOptions struct {
	url, region, sandbox, provider string
	name, config                   string
	tokenFile, tokenURL            string
	insecureHTTP                   bool
	workers                        int
	rate                           float64
	timeout                        time.Duration
	attempts                       int // a request, where that is safe; 0 is the client's own number
}

func (t *targetOptions) bind(f *pflag.FlagSet) {
	t.bindReader(f)
	f.IntVar(&t.workers, "workers", 0, "requests under way at a time (default: the provider's, genesys 4, else 16)")
	f.Float64Var(&t.rate, "rate", 0, "most `requests` a second (0: as fast as the directory allows)")
}

// bindReader binds the flags of a command that asks a few questions.
func (t *targetOptions) bindReader(f *pflag.FlagSet) {
	t.bindAddress(f)
	f.StringVar(&t.sandbox, "sandbox", "", "the embedded directory, its people kept in `DIR`")
	f.Lookup("sandbox").NoOptDefVal = defaultSandbox
	f.StringVar(&t.name, "target", "", "a `NAME` that scimbulk target add has given to a directory (SCIMBULK_TARGET)")
	bindConfig(f, &t.config)
	f.BoolVar(&t.insecureHTTP, "insecure-http", false, "allow plain http:// to other hosts than this one")
	f.DurationVar(&t.timeout, "timeout", defaultTimeout, "how long a request may take")
}

// bindAddress binds what a named target may hold beside its pace.
func (t *targetOptions) bindAddress(f *pflag.FlagSet) {
	f.StringVar(&t.url, "url", "", "base `URL` to which /Users is appended (SCIMBULK_URL)")
	f.StringVar(&t.region, "region", "", "Genesys Cloud `region` or domain: us-east-1, mypurecloud.com, … (GENESYSCLOUD_REGION)")
	f.StringVar(&t.provider, "provider", "", "provider `profile`: rfc, genesys (SCIMBULK_PROVIDER; default: known from the host, else rfc)")
	f.StringVar(&t.tokenFile, "token-file", "", "`file` with the bearer token (else SCIMBULK_TOKEN)")
	f.StringVar(&t.tokenURL, "token-url", "", "OAuth 2 token `URL`, with SCIMBULK_CLIENT_ID and SCIMBULK_CLIENT_SECRET")
}

// fillIn settles what the command line leaves open, by the named target and the
// environment.
func (t *targetOptions) fillIn() error {
	if t.name == "" && t.url == "" && t.region == "" && t.sandbox == "" {
		t.name = os.Getenv("SCIMBULK_TARGET")
	}
	if t.name != "" {
		if t.url != "" || t.region != "" || t.sandbox != "" {
			return usagef("--target, --url, --region and --sandbox name different directories: give one of them")
		}
		if err := t.fromConfig(); err != nil {
			return err
		}
	}
	t.fromEnvironment()
	return nil
}

func (t *targetOptions) fromEnvironment() {
	if t.url == "" && t.region == "" && t.sandbox == "" {
		if t.url = os.Getenv("SCIMBULK_URL"); t.url == "" {
			t.region = os.Getenv("GENESYSCLOUD_REGION")
		}
	}
	if t.provider == "" {
		t.provider = os.Getenv("SCIMBULK_PROVIDER")
	}
}

var errNoTarget = errors.New(`no directory given: name one with --url, --region or --target, or try it out on the embedded one:
  scimbulk import FILE --sandbox`)

func (t *targetOptions) validate() []error {
	var problems []error
	given := 0
	for _, s := range []string{t.url, t.region, t.sandbox} {
		if s != "" {
			given++
		}
	}
	switch {
	case given == 0:
		problems = append(problems, errNoTarget)
	case given > 1:
		problems = append(problems, usagef("--url, --region and --sandbox name different directories: give one of them"))
	}
	if t.workers < 0 || t.workers > 1000 {
		problems = append(problems, usagef("--workers %d: give a number from 1 to 1000", t.workers))
	}
	if t.rate < 0 || math.IsNaN(t.rate) || math.IsInf(t.rate, 0) {
		problems = append(problems, usagef("--rate %g: give a number of requests a second, or 0", t.rate))
	}
	if t.timeout <= 0 {
		problems = append(problems, usagef("--timeout %s: give a duration such as 30s", t.timeout))
	}
	return problems
}

// args are the flags that lead to the same directory from any folder, for the
// checkpoint log. Secrets are not among them.
func (t *targetOptions) args() []string {
	var args []string
	add := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	add("url", t.url)
	add("region", t.region)
	add("sandbox", absolute(t.sandbox))
	add("provider", t.provider)
	add("token-file", absolute(t.tokenFile))
	add("token-url", t.tokenURL)
	if t.insecureHTTP {
		args = append(args, "--insecure-http")
	}
	return args
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}

// directory is a target that is ready to be asked.
type directory struct {
	client  *scim.Client
	profile scim.Profile
	name    string // what summaries and the checkpoint log call it
	workers int
	close   func() error

	asked  bool // for its schemas, once
	served []scim.Schema
}

func (t *targetOptions) open() (*directory, error) {
	profile, base, err := t.resolve()
	if err != nil {
		return nil, err
	}
	d := &directory{profile: profile, name: base, workers: t.workers, close: func() error { return nil }}
	if d.workers == 0 {
		d.workers = profile.Workers
	}
	o := scim.Options{
		BaseURL: base, Profile: profile, Rate: t.rate, Workers: d.workers, Timeout: t.timeout,
		InsecureHTTP: t.insecureHTTP, UserAgent: "scimbulk/" + version(), MaxAttempts: t.attempts,
	}
	if t.sandbox != "" {
		err = t.openSandbox(d, &o)
	} else {
		o.Credentials, err = t.credentials(profile, base)
	}
	if err != nil {
		return nil, err
	}
	if d.client, err = scim.New(o); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// resolve finds the base URL and the provider's profile.
func (t *targetOptions) resolve() (profile scim.Profile, base string, err error) {
	base = t.url
	if t.region != "" {
		region, err := scim.Region(t.region)
		if err != nil {
			return profile, "", err
		}
		base = region.BaseURL()
	}
	if t.provider != "" {
		profile, err = scim.ProfileByName(t.provider)
		return profile, base, err
	}
	if base != "" && !strings.Contains(base, "://") {
		return profile, "", fmt.Errorf("the URL of the directory begins with https://, such as https://%s", base)
	}
	u, err := url.Parse(base)
	if err != nil {
		return profile, "", fmt.Errorf("the URL of the directory cannot be read: %w", err)
	}
	return scim.ProfileForHost(u.Host), base, nil
}

func (t *targetOptions) openSandbox(d *directory, o *scim.Options) error {
	dir := absolute(t.sandbox)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	box, err := sandbox.New(sandbox.Options{Dialect: d.profile.Name, Dir: dir})
	if err != nil {
		return err
	}
	d.name, d.close = "sandbox:"+dir, box.Close
	o.BaseURL, o.Transport = "http://127.0.0.1"+box.BasePath(), box.Transport()
	o.Profile.Rate = 0 // the sandbox limits nothing
	return nil
}

// credentials come from files and the environment, never from flags. Those of
// the vendor's own tools are sent to the vendor alone.
func (t *targetOptions) credentials(p scim.Profile, base string) (scim.Credentials, error) {
	genesys := p.Name == "genesys"
	env := func(name, vendors string) string {
		if v := os.Getenv(name); v != "" || !genesys {
			return v
		}
		return os.Getenv(vendors)
	}
	if t.tokenFile != "" {
		return scim.BearerFile(t.tokenFile), nil
	}
	if token := env("SCIMBULK_TOKEN", "GENESYSCLOUD_ACCESS_TOKEN"); token != "" {
		return scim.Bearer(token), nil
	}
	id := env("SCIMBULK_CLIENT_ID", "GENESYSCLOUD_OAUTHCLIENT_ID")
	secret := env("SCIMBULK_CLIENT_SECRET", "GENESYSCLOUD_OAUTHCLIENT_SECRET")
	if id != "" && secret != "" {
		return t.clientCredentials(id, secret)
	}
	if user := os.Getenv("SCIMBULK_USER"); user != "" {
		return scim.Basic(user, os.Getenv("SCIMBULK_PASSWORD")), nil
	}
	if loopback(base) {
		return nil, nil
	}
	if genesys {
		return nil, errors.New("no credentials: set GENESYSCLOUD_OAUTHCLIENT_ID and GENESYSCLOUD_OAUTHCLIENT_SECRET, or GENESYSCLOUD_ACCESS_TOKEN")
	}
	return nil, errors.New("no credentials: set SCIMBULK_TOKEN or give --token-file; or set SCIMBULK_CLIENT_ID and SCIMBULK_CLIENT_SECRET; or SCIMBULK_USER and SCIMBULK_PASSWORD")
}

func (t *targetOptions) clientCredentials(id, secret string) (scim.Credentials, error) {
	if t.tokenURL != "" {
		return scim.ClientCredentials(t.tokenURL, id, secret), nil
	}
	if t.region == "" {
		return nil, errors.New("a client id and secret are set, but not where to exchange them for a token: give --token-url")
	}
	region, err := scim.Region(t.region)
	if err != nil {
		return nil, err
	}
	return scim.ClientCredentials(region.TokenURL(), id, secret), nil
}

func loopback(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}

// schema is what the directory says its resources look like; it is asked once.
// A directory that does not say gets the built-in schema. It is not safe for
// concurrent use.
func (d *directory) schema(ctx context.Context, resource string) (*scim.ResourceSchema, error) {
	if !d.asked {
		if err := d.askForSchemas(ctx); err != nil {
			return nil, err
		}
		d.asked = true
	}
	return scim.NewResourceSchema(resource, d.served), nil
}

func (d *directory) askForSchemas(ctx context.Context) error {
	docs, err := d.client.Schemas(ctx)
	var failed *scim.Error
	switch {
	case err == nil:
	case errors.As(err, &failed) && failed.Status >= 400 && failed.Status != http.StatusUnauthorized:
		return nil
	default:
		return fmt.Errorf("asking %s for its schemas: %w", d.name, err)
	}
	if served, err := scim.ParseSchemas(docs); err == nil {
		d.served = served
	}
	return nil
}
