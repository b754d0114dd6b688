package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what kind of directory a sandbox is. The zero value is an empty
// rfc directory in memory that asks for no credentials.
type Options struct {
	Dialect   string        // "rfc" (default) or "genesys"
	Dir       string        // folder of the embedded store; "" keeps everything in memory
	Seed      int           // so many people, and a twentieth as many groups, if the directory is empty
	RateLimit string        // "N/DURATION[:bucket|window]"; "" limits nothing
	PageCap   int           // most resources in a page; 0 is the dialect's own
	Latency   time.Duration // added to every answer
	Faults    []string      // "NAME[=VALUE]", see Faults
	FaultSeed int64         // makes the faults' chances reproducible
	Audit     string        // path of the audit file; "" is none
	Token     string        // bearer token to ask for; "" asks for none
	TokenTTL  time.Duration // life of a token from /oauth/token; 0 is an hour
	Me        string        // userName of the person whose account /Me is; "" is nobody's (rfc only)
}

// Sandbox is a SCIM directory behind an http.Handler. It is safe for
// concurrent use.
type Sandbox struct {
	opt      Options
	rules    *dialect
	dir      *directory
	audit    *auditFile
	tokens   *tokenDesk
	faults   *faultSet
	limiter  *limiter // nil when nothing is counted
	requests atomic.Int64

	late   sync.WaitGroup // work that goes on after its exchange was cut
	closed chan struct{}
	once   sync.Once
}

// New makes a sandbox, or reports everything that is wrong with the options.
func New(opt Options) (*Sandbox, error) {
	rules, err := newDialect(opt.Dialect)
	limiter, errLimit := newLimiter(opt.RateLimit, opt.Dialect)
	faults, errFaults := newFaults(opt.Faults, opt.FaultSeed)
	problems := append([]error{err, errLimit, opt.check()}, errFaults...)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	rules.adapt(opt, faults)
	if limiter == nil {
		limiter = rules.quota
	}
	s := &Sandbox{
		opt: opt, rules: rules, faults: faults, limiter: limiter, tokens: newTokenDesk(opt),
		dir: newDirectory(rules, faults), closed: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (o *Options) check() error {
	var problems []error
	if o.Seed < 0 {
		problems = append(problems, fmt.Errorf("--seed %d: must be 0 or more", o.Seed))
	}
	if o.PageCap < 0 {
		problems = append(problems, fmt.Errorf("--page-cap %d: must be 0 (the dialect's own) or more", o.PageCap))
	}
	if o.Latency < 0 {
		problems = append(problems, fmt.Errorf("--latency %s: must be 0 or more", o.Latency))
	}
	if o.TokenTTL < 0 {
		problems = append(problems, fmt.Errorf("--token-ttl %s: must be 0 (an hour) or more", o.TokenTTL))
	}
	return errors.Join(problems...)
}

// open attaches audit and store, and fills the directory.
func (s *Sandbox) open() (err error) {
	if s.audit, err = openAudit(s.opt.Audit); err != nil {
		return err
	}
	s.dir.audit = s.audit
	if s.opt.Dir != "" {
		if s.dir.store, err = openStore(s.opt.Dir, s.rules.name, s.audit); err != nil {
			return err
		}
		if err := s.dir.load(); err != nil {
			return fmt.Errorf("sandbox directory %s: %w", s.opt.Dir, err)
		}
	}
	if s.opt.Seed > 0 && s.dir.empty() {
		return s.dir.seed(s.opt.Seed)
	}
	return nil
}

func (d *directory) empty() bool { return len(d.users.slots) == 0 && len(d.groups.slots) == 0 }

// load fills the directory from its store.
func (d *directory) load() error {
	for _, c := range []*collection{d.users, d.groups} {
		err := d.store.load(c.t.name, func(rev *revision) {
			if bytes.Contains(rev.doc, []byte(`"externalIds"`)) {
				rev.authorities = authorities(stored(rev))
			}
			c.insert(rev)
			d.linkMembers(nil, rev)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// BasePath is where the dialect's resources are: /scim/v2, under genesys
// /api/v2/scim/v2. The other bases work as well.
func (s *Sandbox) BasePath() string { return s.rules.base }

// Close waits for commits that are still to land and closes store and audit.
func (s *Sandbox) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		s.late.Wait()
		if s.dir.store != nil {
			err = s.dir.store.close()
		}
		err = errors.Join(err, s.audit.close())
	})
	return err
}

// ServeHTTP answers one request.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := s.newRequest(r)
	a := s.serve(q)
	if err := s.audit.request(q, a.auditStatus()); err != nil {
		a = s.fail(q, fmt.Errorf("the audit file cannot be written: %w", err))
	}
	a.send(w, r)
}

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return formatID(b)
}

func formatID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
