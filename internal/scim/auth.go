package scim

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Credentials authorise requests. They are shared by all workers.
type Credentials interface {
	// Authorization returns the value of the Authorization header. refused is
	// the value that the server has just answered with 401, "" otherwise; the
	// same value in return means that there is no newer one.
	Authorization(ctx context.Context, refused string) (string, error)
}

// credentialError is a failure to get credentials. It never holds one.
type credentialError struct {
	action string
	status int  // of the token endpoint, 0 when it did not answer
	lost   bool // the token endpoint could not be reached, or did not answer
	err    error
}

func (e *credentialError) Error() string { return e.action + ": " + causeText(e.err) }
func (e *credentialError) Unwrap() error { return e.err }

// transient tells that the token endpoint may answer better in a while.
func (e *credentialError) transient() bool {
	return e.status == 429 || e.status >= 500 || e.lost
}

// Bearer authorises with a token that never changes.
func Bearer(token string) Credentials { return newStaticCredentials("Bearer ", token) }

// Basic authorises with a name and a password (RFC 7617).
func Basic(user, password string) Credentials {
	return newStaticCredentials("Basic ", base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

type staticCredentials struct {
	value string
	err   error
}

func newStaticCredentials(scheme, secret string) staticCredentials {
	value, err := headerValue(scheme, secret)
	return staticCredentials{value, err}
}

func (c staticCredentials) Authorization(context.Context, string) (string, error) {
	return c.value, c.err
}

// headerValue refuses what would break the header, without repeating it.
func headerValue(scheme, secret string) (string, error) {
	secret = strings.TrimSpace(secret)
	if secret == "" {
		return "", &credentialError{action: "read the credentials", err: errors.New("the token is empty")}
	}
	if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &credentialError{
			action: "read the credentials",
			err:    errors.New("the token holds a space, a line break or a character beyond ASCII: was more than the token copied?"),
		}
	}
	return scheme + secret, nil
}

// BearerFile authorises with the token that a file holds. The file is read at
// the first request, and again after a 401, so that whoever renews the token
// in the file need not restart the run.
func BearerFile(path string) Credentials { return &bearerFile{path: path} }

type bearerFile struct {
	path string

	mu    sync.Mutex
	value string
}

func (c *bearerFile) Authorization(_ context.Context, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.value != "" && c.value != refused {
		return c.value, nil
	}
	text, err := os.ReadFile(c.path)
	if err != nil {
		return "", &credentialError{action: "read the token file", err: err}
	}
	value, err := headerValue("Bearer ", string(text))
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", c.path, err)
	}
	c.value = value
	return value, nil
}

// ClientCredentials authorises by the OAuth 2 client credentials grant (RFC
// 6749 §4.4). One token serves all workers until it expires or is refused.
func ClientCredentials(tokenURL, id, secret string) Credentials {
	return &clientCredentials{
		config: &clientcredentials.Config{TokenURL: tokenURL, ClientID: id, ClientSecret: secret},
		turn:   make(chan struct{}, 1),
	}
}

type clientCredentials struct {
	config *clientcredentials.Config
	// turn is held by whoever looks at the token or fetches one: a channel, so
	// that those who wait can be cancelled.
	turn    chan struct{}
	token   *oauth2.Token
	fetched time.Time
}

func (c *clientCredentials) Authorization(ctx context.Context, refused string) (string, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-c.turn }()
	if value := c.current(); value != "" && value != refused {
		return value, nil
	}
	if err := c.fetch(ctx); err != nil {
		return "", err
	}
	return "Bearer " + c.token.AccessToken, nil
}

// current is the header for the token in hand, "" where there is none that is
// still good. A token is let go shortly before it expires; how shortly depends
// on its lifetime, or one that lives for seconds would never be used.
func (c *clientCredentials) current() string {
	if c.token == nil {
		return ""
	}
	if end := c.token.Expiry; !end.IsZero() {
		margin := min(10*time.Second, end.Sub(c.fetched)/10)
		if !time.Now().Before(end.Add(-margin)) {
			return ""
		}
	}
	return "Bearer " + c.token.AccessToken
}

func (c *clientCredentials) fetch(ctx context.Context) error {
	c.token = nil
	token, err := c.config.Token(ctx)
	if err != nil {
		return tokenFault(ctx, err)
	}
	if _, err := headerValue("Bearer ", token.AccessToken); err != nil {
		return err
	}
	c.token, c.fetched = token, time.Now()
	return nil
}

// tokenFault keeps the status and the error code of RFC 6749 §5.2, and drops
// the body, which may echo what was sent.
func tokenFault(ctx context.Context, err error) error {
	const action = "get a token"
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return &credentialError{action: action, lost: isNetworkFault(err) && !isCertificateFault(err), err: withoutURL(err)}
	}
	fault := &credentialError{action: action, err: errors.New("the token endpoint gave no token")}
	if answer.Response != nil {
		fault.status = answer.Response.StatusCode
		fault.err = fmt.Errorf("the token endpoint answered %d %s%s", fault.status, token(answer.ErrorCode), tokenHint(answer.ErrorCode, fault.status))
	}
	return fault
}

func tokenHint(code string, status int) string {
	switch {
	case code == "invalid_client" || status == 401:
		return ": check the client id and the client secret"
	case code == "unauthorized_client":
		return ": the client may not use the client credentials grant"
	case status == 404 || status == 405:
		return ": is the token URL right?"
	default:
		return ""
	}
}
