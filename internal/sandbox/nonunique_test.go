package sandbox

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A directory that takes any number of one userName must not promise in its
// schema that it keeps it unique: clients believe that.
func TestNonUniqueSaysSo(t *testing.T) {
	for _, tc := range []struct {
		faults []string
		want   bool
	}{{nil, true}, {[]string{"non-unique"}, false}} {
		s, err := New(Options{Faults: tc.faults})
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", nil))
		if answer.Code != http.StatusOK {
			t.Fatalf("%d: %s", answer.Code, answer.Body)
		}
		_, rest, _ := strings.Cut(answer.Body.String(), `"userName"`)
		attr, _, _ := strings.Cut(rest, "}")
		if got := strings.Contains(strings.ReplaceAll(attr, " ", ""), `"uniqueness":"server"`); got != tc.want {
			t.Errorf("%v: userName is declared unique: %v, in %s", tc.faults, got, attr)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
