package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// The one client that may ask for tokens. Its id may be followed by
	// withoutMark and permissions, comma-separated with dots for colons, that
	// its tokens are to lack: sandbox-without-directory.user.delete. The form
	// parameter "lacking" does the same.
	clientID     = "sandbox"
	clientSecret = "sandbox"
	withoutMark  = "-without-"

	defaultTokenTTL = time.Hour
)

// grant is what a token allows: everything but what it lacks.
type grant struct {
	expires time.Time // zero for a token that does not
	lacking []string
}

// tokenDesk issues tokens and knows those that are out.
type tokenDesk struct {
	fixed string
	ttl   time.Duration

	mu     sync.Mutex
	issued map[string]grant
}

func newTokenDesk(opt Options) *tokenDesk {
	ttl := opt.TokenTTL
	if ttl == 0 {
		ttl = defaultTokenTTL
	}
	return &tokenDesk{fixed: opt.Token, ttl: ttl, issued: map[string]grant{}}
}

// check finds the grant behind a request's bearer token.
func (d *tokenDesk) check(r *http.Request) (grant, error) {
	if d.fixed == "" {
		return grant{}, nil
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		return grant{}, unauthorized("a bearer token is needed", "")
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(d.fixed)) == 1 {
		return grant{}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g, ok := d.issued[token]
	switch {
	case !ok:
		return grant{}, unauthorized("the bearer token is not known", "invalid_token")
	case !time.Now().Before(g.expires):
		delete(d.issued, token)
		return grant{}, unauthorized("the bearer token has expired", "invalid_token")
	}
	return g, nil
}

func unauthorized(detail, code string) *problem {
	challenge := `Bearer realm="scim sandbox"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	p := refuse(401, "", "%s", detail).with("WWW-Authenticate", challenge)
	p.code = "authentication.required"
	return p
}

// token serves the OAuth 2 client credentials grant (RFC 6749 §4.4).
func (s *Sandbox) token(q *request) answer {
	if q.r.Method != http.MethodPost {
		return s.fail(q, notAllowed(q, "POST"))
	}
	form, err := url.ParseQuery(string(q.body))
	if err != nil || q.bodyErr != nil {
		return oauthError(400, "invalid_request", "the body is not a form")
	}
	id, secret, basic := q.r.BasicAuth()
	if basic {
		id, secret = formText(id), formText(secret)
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	name, lacking, _ := strings.Cut(id, withoutMark)
	switch {
	case name != clientID || secret != clientSecret:
		return oauthError(401, "invalid_client", "client id or secret is wrong")
	case form.Get("grant_type") != "client_credentials":
		return oauthError(400, "unsupported_grant_type", "grant_type must be client_credentials")
	}
	return s.tokens.issue(permissions(strings.ReplaceAll(lacking, ".", ":") + "," + form.Get("lacking")))
}

// formText undoes the form encoding of a Basic credential (RFC 6749 §2.3.1),
// which not every client applies.
func formText(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

func permissions(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(p string) bool { return p == "" })
}

func (d *tokenDesk) issue(lacking []string) answer {
	token := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for t, g := range d.issued {
		if now.After(g.expires) {
			delete(d.issued, t)
		}
	}
	d.issued[token] = grant{expires: now.Add(d.ttl), lacking: lacking}
	return answer{status: 200, header: []string{"Content-Type", jsonType, "Cache-Control", "no-store"},
		body: appendJSON(nil, newObject(member{"access_token", token}, member{"token_type", "bearer"},
			member{"expires_in", itoa(int(d.ttl.Seconds()))}))}
}

func oauthError(status int, code, detail string) answer {
	a := answer{status: status, header: []string{"Content-Type", jsonType}}
	if status == 401 {
		a.set("WWW-Authenticate", `Basic realm="scim sandbox"`)
	}
	a.body = appendJSON(nil, newObject(member{"error", code}, member{"error_description", detail}, member{"description", detail}))
	return a
}
