package scim

import "testing"

func TestOneLine(t *testing.T) {
	for name, tc := range map[string]struct{ raw, want string }{
		"one line stays":    {`{"b": 1.50, "a":[ ]}`, `{"b": 1.50, "a":[ ]}`},
		"several lines":     {"{\n  \"b\": 1.50,\r\n  \"a\": \"x\\ny\"\n}", `{"b":1.50,"a":"x\ny"}`},
		"a doubled member":  {"{\n\"a\":1,\"a\":2}", `{"a":1,"a":2}`},
		"escapes as escape": {`{"a":"\u00e9"}`, `{"a":"\u00e9"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := OneLine([]byte(tc.raw))
			if err != nil || string(got) != tc.want {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestDecodeRefusesDoubledMembers(t *testing.T) {
	for _, raw := range []string{`{"a":1,"a":1}`, `{"o":{"a":null,"b":1,"a":2}}`, `[{"a":1,"a":2}]`} {
		if v, err := Decode([]byte(raw)); err == nil {
			t.Errorf("%s is read as %v", raw, v)
		}
	}
	if _, err := Decode([]byte(`{"o":{"a":1},"a":1,"A":1}`)); err != nil {
		t.Errorf("members of other objects, and other letters: %v", err)
	}
}
