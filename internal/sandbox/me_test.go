package sandbox

import "testing"

// TestMe: /Me is the account that the options name, and nobody's otherwise.
func TestMe(t *testing.T) {
	for _, tc := range []struct {
		name, dialect, me string
		status            int
	}{
		{"nobody's token", "rfc", "", 501},
		{"somebody's token", "rfc", "BOT@example.com", 200},
		{"somebody who has left", "rfc", "gone@example.com", 404},
		{"genesys has none", "genesys", "bot@example.com", 501},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t, Options{Dialect: tc.dialect, Me: tc.me})
			b.call("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bot@example.com","displayName":"Bot"}`).want(t, 201, "")
			r := b.call("GET", "/Me", "").want(t, tc.status, "")
			if tc.status == 200 && r.at("userName") != "bot@example.com" {
				t.Errorf("/Me is %s", r.text)
			}
		})
	}
}
