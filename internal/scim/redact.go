package scim

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// redacted stands where a server repeated a secret.
const redacted = "[redacted]"

// redact takes the secrets of a request out of what the server said about it:
// a password policy's complaint may quote the password, a proxy the token.
func (e *Error) redact(authorization string, body []byte) {
	secrets := secretsOf(authorization, body)
	for _, field := range []*string{&e.Detail, &e.Code, &e.ScimType, &e.CorrelationID} {
		for _, s := range secrets {
			*field = strings.ReplaceAll(*field, s, redacted)
		}
	}
}

func secretsOf(authorization string, body []byte) []string {
	var secrets []string
	if _, token, ok := strings.Cut(authorization, " "); ok && token != "" {
		secrets = append(secrets, token)
	}
	return append(secrets, passwords(body)...)
}

// passwords finds the passwords of a request body: members of that name, and
// the values of PATCH operations on such a path, at any depth (RFC 7643 §4.1.1,
// RFC 7644 §3.5.2, §3.7).
func passwords(body []byte) []string {
	if !bytes.Contains(bytes.ToLower(body), []byte("password")) {
		return nil
	}
	return secretMembers(jsontext.NewDecoder(bytes.NewReader(body), wireJSON), false)
}

// secretMembers reads one value. Within secret, every string is one.
func secretMembers(dec *jsontext.Decoder, secret bool) []string {
	switch dec.PeekKind() {
	case '{':
		return secretObject(dec, secret)
	case '[':
		return secretArray(dec, secret)
	}
	tok, err := dec.ReadToken()
	if err != nil || !secret || tok.Kind() != '"' || tok.String() == "" {
		return nil
	}
	return []string{tok.String()}
}

func secretArray(dec *jsontext.Decoder, secret bool) []string {
	var found []string
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for kind := dec.PeekKind(); kind != ']' && kind != 0; kind = dec.PeekKind() {
		found = append(found, secretMembers(dec, secret)...)
	}
	_, _ = dec.ReadToken()
	return found
}

func secretObject(dec *jsontext.Decoder, secret bool) []string {
	var found []string
	var path, value string
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return found
		}
		key := strings.ToLower(name.String())
		if (key == "path" || key == "value") && dec.PeekKind() == '"' {
			tok, err := dec.ReadToken()
			if err != nil {
				return found
			}
			if key == "path" {
				path = tok.String()
			} else {
				value = tok.String()
			}
			continue
		}
		found = append(found, secretMembers(dec, secret || key == "password")...)
	}
	_, _ = dec.ReadToken()
	if value != "" && (secret || strings.HasSuffix(strings.ToLower(path), "password")) {
		found = append(found, value)
	}
	return found
}
