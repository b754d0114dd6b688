package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/rows"
)

func TestWholeResources(t *testing.T) {
	tests := []struct {
		name, header, object string
		opts                 Options
		key                  string
		want                 []string
		fault                string
	}{
		{
			name: "an exported user", header: "id,userName", key: "7",
			object: `{"schemas":["x"],"id":"7","meta":{"version":"1","flavour":"x"},"USERNAME":"Ann","active":true,"groups":[{"value":"g"}],
				"name":{"givenName":"A","familyName":null},"emails":[{"value":"a@x","type":"work","primary":true}],"roles":[],"title":null,
				"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"9","displayName":"Boss"}}}`,
			want: []string{
				`userName = "Ann"`, `active = true`, `emails += [{"primary":true,"type":"work","value":"a@x"}]`, `name.givenName = "A"`,
				`enterprise:department = "D"`, `enterprise:manager.value = "9"`,
			},
		},
		{
			name: "matched by user name", header: "id,userName", opts: Options{Match: "userName"}, key: "Ann",
			object: `{"id":"7","userName":"Ann"}`, want: []string{`userName = "Ann"`},
		},
		{
			name: "matched by an address", header: "userName", opts: Options{Match: `emails[type eq "work"].value`}, key: "w@x",
			object: `{"userName":"Ann","emails":[{"value":"h@x","type":"home"},{"value":"w@x","type":"work"}]}`,
			want:   []string{`emails += [{"type":"home","value":"h@x"},{"type":"work","value":"w@x"}]`, `userName = "Ann"`},
		},
		{
			name: "what no schema knows", header: "userName", key: "Ann",
			object: `{"userName":"Ann","shoeSize":43,"urn:x:y":{"a":1},"name":{"petName":"A"},"emails":[{"value":"x","verified":false}],"_error":"old"}`,
			want: []string{
				`emails += [{"value":"x","verified":false}]`, `userName = "Ann"`, "name.petName is in no schema of the directory and was left out",
				"shoeSize is in no schema of the directory and was left out", "urn:x:y is in no schema of the directory and was left out",
			},
		},
		{
			name: "values that are nearly right", header: "userName", key: "17",
			object: `{"userName":17,"active":"True","emails":"a@x","tags":"x","age":"3","enterprise:department":"D"}`,
			want: []string{
				`active = true`, `age = 3`, `emails += [{"value":"a@x"}]`, `enterprise:department = "D"`, `tags += ["x"]`, `userName = "17"`,
			},
		},
		{
			name: "values that are wrong", header: "userName", key: "Ann", object: `{"userName":"Ann","active":3,"title":{"a":1},"password":["hunter2"]}`,
			want:  []string{`userName = "Ann"`},
			fault: "people.jsonl:3: active: active cannot be the number 3 (it is a boolean); password: the value cannot be used; title: title cannot be an object (it is a text)",
		},
		{
			name: "a group", header: "displayName", key: "Staff", opts: Options{Resource: "Group"}, object: `{"displayName":"Staff","members":[{"value":"1","display":"Ann","type":"User"}]}`,
			want: []string{`displayName = "Staff"`, `members += [{"type":"User","value":"1"}]`},
		},
		{
			name: "without its id", header: "id,userName", object: `{"userName":"Ann"}`, want: []string{`userName = "Ann"`},
			fault: "people.jsonl:3: id: id, by which rows are matched, is blank (to create it, match by another attribute: --match userName)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := strings.Split(tt.header, ",")
			tt.opts.Input, tt.opts.Schema = "people.jsonl", testSchema
			m, err := Auto(header, nil, "").Compile(header, true, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := m.NewMapper().Map(&rows.Row{Line: 3, Object: []byte(tt.object)})
			fault := ""
			if err != nil {
				fault = err.Error()
			}
			if fault != tt.fault {
				t.Errorf("fault %q, want %q", fault, tt.fault)
			}
			if rec.Key != tt.key {
				t.Errorf("key %q, want %q", rec.Key, tt.key)
			}
			if diff := cmp.Diff(tt.want, showRecord(rec)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
