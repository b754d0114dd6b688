package pipeline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scimbulk/internal/mapping"
	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

// compared compares two files, and tells each difference in a line: its kind,
// its key, and what has changed.
func compared(t *testing.T, old, newer string, change func(*Comparison)) ([]string, *Compared, error) {
	t.Helper()
	in := openBoth(t, old, newer)
	resource := mapping.ResourceOf(in[0].Header(), in[0].Schemas())
	schema := scim.Builtin(resource)
	key := map[string]string{"User": "userName", "Group": "displayName"}[resource]
	target, err := schema.Resolve(scim.Path{Attr: key})
	if err != nil {
		t.Fatal(err)
	}
	c := &Comparison{Rules: plan.Rules{Schema: schema}, Match: target, Meter: &Meter{}}
	for i, state := range []**State{&c.Old, &c.New} {
		if s, ok := MemberState(in[i].Options().Name, in[i]); ok {
			*state, c.Match = s, nil
			continue
		}
		if *state, err = FileState(in[i].Options().Name, in[i], resource, key, schema); err != nil {
			return nil, nil, err
		}
	}
	if change != nil {
		change(c)
	}
	var told []string
	result, err := c.Run(t.Context(), func(d *Delta) error {
		told = append(told, tell(d))
		return nil
	})
	return told, result, err
}

func tell(d *Delta) string {
	line := d.Kind + " " + d.Key
	if d.Kind != Changed {
		return line
	}
	for _, difference := range d.Differences {
		old, _ := scim.Encode(difference.Old)
		now, _ := scim.Encode(difference.New)
		line += fmt.Sprintf("; %s %s → %s", difference.Path, old, now)
	}
	return line
}

func openBoth(t *testing.T, texts ...string) []*rows.Reader {
	t.Helper()
	var open []*rows.Reader
	for i, text := range texts {
		name := []string{"old", "new"}[i]
		if strings.HasPrefix(text, "{") {
			name += ".jsonl"
		} else {
			name += ".csv"
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := rows.Open(path, rows.Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		open = append(open, in)
	}
	return open
}

const (
	userJSON = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
	workMail = `"emails":[{"value":"a@example.com","type":"work","primary":true},{"value":"b@example.com","type":"home"}]`
)

func TestDiff(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new string
		change   func(*Comparison)
		want     []string
		reborn   int64
		left     []string
	}{
		{
			name: "the same, in another order",
			old:  "id,userName,title\n1,a,x\n2,b,y\n", new: "id,userName,title\n2,b,y\n1,a,x\n",
		},
		{
			name: "went, changed and came, in this order",
			old:  "id,userName,title\n1,a,x\n2,b,y\n3,c,z\n", new: "id,userName,title\n4,d,x\n2,b,Y\n3,c,z\n",
			want: []string{"went a", `changed b; title "y" → "Y"`, "came d"},
		},
		{
			name: "a new name for the same id",
			old:  "id,userName\n1,a\n", new: "id,userName\n1,aa\n",
			want: []string{`changed a; userName "a" → "aa"`},
		},
		{
			name: "a name that goes to somebody new",
			old:  "id,userName\n1,a\n", new: "id,userName\n1,aa\n2,a\n",
			want: []string{`changed a; userName "a" → "aa"`, "came a"},
		},
		{
			name: "another id for the same name, whatever its case",
			old:  "id,userName,title\n1,a,x\n", new: "id,userName,title\n9,A,x\n",
			reborn: 1,
		},
		{
			name: "no ids at all",
			old:  "userName,title\na,x\nb,x\n", new: "userName,title\nB,y\na,x\n",
			want: []string{`changed b; title "x" → "y"`},
		},
		{
			name: "by name alone, whatever the ids",
			old:  "id,userName\n1,a\n2,b\n", new: "id,userName\n2,a\n1,b\n",
			change: func(c *Comparison) { c.ByKey = true }, reborn: 2,
		},
		{
			name: "a value that went, and one that an empty cell never was",
			old:  "id,userName,title,nickName\n1,a,x,\n", new: "id,userName,title,nickName\n1,a,,\n",
			want: []string{`changed a; title "x" → null`},
		},
		{
			name: "an attribute that one file does not have",
			old:  "id,userName,title\n1,a,x\n", new: "id,userName,nickName\n1,a,n\n",
			left: []string{"nickName", "title"},
		},
		{
			name: "the same, where nothing was left out",
			old:  "id,userName,title\n1,a,x\n", new: "id,userName,nickName\n1,a,n\n",
			change: func(c *Comparison) { c.AllAttributes = true },
			want:   []string{`changed a; nickName null → "n"; title "x" → null`},
		},
		{
			name: "only what is asked for",
			old:  "id,userName,title,name.givenName,name.familyName\n1,a,x,g,f\n", new: "id,userName,title,name.givenName,name.familyName\n1,a,y,G,F\n",
			change: func(c *Comparison) {
				c.Only, c.But = []scim.Path{{Attr: "name"}, {Attr: "nickName"}}, []scim.Path{{Attr: "name", Sub: "familyName"}}
			},
			want: []string{`changed a; name.givenName "g" → "G"`},
		},
		{
			name: "what the directory decides, and passwords",
			old:  "id,userName,meta.version,groups\n1,a,W/1,x\n", new: "id,userName,meta.version,groups\n1,a,W/2,y\n",
		},
		{
			name: "passwords of JSONL",
			old:  userJSON + `"id":"1","userName":"a","password":"old"}` + "\n", new: userJSON + `"id":"1","userName":"a","password":"new"}` + "\n",
		},
		{
			name: "values by value and type, in any order",
			old:  userJSON + `"id":"1","userName":"a",` + workMail + `}` + "\n",
			new: userJSON + `"id":"1","userName":"a","emails":[{"type":"home","value":"b@example.com","primary":false},` +
				`{"primary":true,"type":"work","value":"A@example.com"}],"title":null,"roles":[]}` + "\n",
		},
		{
			name: "CSV and JSONL of the same people",
			old: userJSON + `"id":"1","userName":"a","active":true,` + workMail + `,"meta":{"resourceType":"User"},` +
				`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7","$ref":"../Users/7","displayName":"Boss"}}}` + "\n",
			new: `id,userName,active,"emails[type eq ""home""].value","emails[type eq ""work""].value","emails[type eq ""work""].primary",enterprise:manager.value` +
				"\n1,a,true,b@example.com,a@example.com,true,7\n",
		},
		{
			name: "one value of several",
			old:  userJSON + `"id":"1","userName":"a",` + workMail + `}` + "\n",
			new:  userJSON + `"id":"1","userName":"a","emails":[{"value":"c@example.com","type":"work","primary":true},{"value":"b@example.com","type":"home"}]}` + "\n",
			want: []string{`changed a; emails[type eq "work"].value "a@example.com" → "c@example.com"`},
		},
		{
			name: "members",
			old:  "id,displayName,members\n1,g,7|8\n2,h,\n", new: "id,displayName,members\n1,g,8|9\n2,h,\n",
			want: []string{`changed g; members [{"value":"7"}] → null; members null → [{"value":"9"}]`},
		},
		{
			name: "members with what servers add",
			old:  "id,displayName,members\n1,g,8|7\n",
			new:  `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"1","displayName":"g","members":[{"value":"7","type":"User","$ref":"x","display":"Ada"},{"value":"8"}]}` + "\n",
		},
		{
			name: "groups of one name, told apart by id",
			old:  "id,displayName,members\n1,g,\n2,g,7\n", new: "id,displayName,members\n2,g,8\n1,g,\n",
			want: []string{`changed g; members [{"value":"7"}] → null; members null → [{"value":"8"}]`},
		},
		{
			name: "memberships, by id where both have it",
			old:  "group,user,action,group_id,user_id\ng,a,add,1,7\ng,b,add,1,8\ng,b,add,1,8\n", new: "group,user,action,group_id,user_id\ng,aa,add,1,7\ng,c,add,1,9\n",
			want: []string{"went g: b", "came g: c"},
		},
		{
			name: "memberships, by name",
			old:  "group,user,action,group_id,user_id\ng,a,add,1,7\n", new: "group,user\nG,A\ng,c\n",
			want: []string{"came g: c"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, result, err := compared(t, tc.old, tc.new, tc.change)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("differences (-want +got)\n%s", d)
			}
			if result.Reborn != tc.reborn || !slices.Equal(slices.Sorted(slices.Values(result.Left)), tc.left) {
				t.Errorf("other ids %d, not compared %q, want %d and %q", result.Reborn, result.Left, tc.reborn, tc.left)
			}
		})
	}
}

func TestDiffRefuses(t *testing.T) {
	const good = "id,userName\n1,a\n"
	for _, tc := range []struct{ name, old, new, want string }{
		{"an id twice", good, "id,userName\n1,a\n2,b\n1,c\n", `new.csv:4: id: "1" stands on line 2 too`},
		{"a name twice, without ids", "userName\na\nA\n", good, `old.csv:3: userName: "a" stands on line 2 too`},
		{"a row without an id", "id,userName\n1,a\n,b\n", good, "old.csv:3: id: id, by which rows are matched, is blank"},
		{"a value that cannot be", good, "id,userName,active\n1,a,true\n2,b,perhaps\n3,c,never\n", "new.csv:3: active: "},
		{"all of them at once", good, "id,userName,active\n1,a,true\n2,b,perhaps\n3,c,never\n", "\nnew.csv:4: active: "},
		{"a ragged row", good, "id,userName\n1,a,b\n", "new.csv:2: "},
		{"a line that is no JSON", userJSON + `"id":"1","userName":"a"}` + "\n", userJSON + `"id":"1"}` + "\n{\"id\":\n", "new.jsonl:2:"},
		{"JSON of something else", userJSON + `"id":"1"}` + "\n", userJSON + `"id":"1"}` + "\n" + `{"colour":{"of":"the sky"}}` + "\n", "new.jsonl:2: neither id nor userName: this is no User"},
		{"a file of something else", good, "Colour,Size\nred,1\n", "rows are matched by userName, to which nothing is mapped"},
		{"a membership that is taken away", "group,user\ng,a\n", "group,user,action\ng,a,remove\n", "new.csv:2: action: the row takes somebody out"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := compared(t, tc.old, tc.new, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant %s", err, tc.want)
			}
		})
	}
}

// TestDiffManyFaults tells no more faults than anybody reads.
func TestDiffManyFaults(t *testing.T) {
	bad := "id,userName,active\n"
	for i := range 25 {
		bad += fmt.Sprintf("%d,u%d,perhaps\n", i, i)
	}
	_, _, err := compared(t, "id,userName\n1,a\n", bad, nil)
	if err == nil || strings.Count(err.Error(), "\n") != mostFaults || !strings.HasSuffix(err.Error(), "new.csv: 15 more rows cannot be used") {
		t.Errorf("error %v", err)
	}
}

// TestDiffInParts compares states that do not fit into memory at once: whatever
// is held at a time, the differences are the same and in the same order.
func TestDiffInParts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var before, after strings.Builder
	before.WriteString("id,userName,title\n")
	after.WriteString("id,userName,title\n")
	want := map[string]int64{}
	for _, i := range random.Perm(200) {
		fmt.Fprintf(&before, "%d,user%d,t\n", i, i)
	}
	for _, i := range random.Perm(210) {
		switch {
		case i < 200 && i%50 == 1:
			want[Went]++
		case i >= 200:
			want[Came]++
			fmt.Fprintf(&after, "%d,user%d,t\n", i, i)
		case i%40 == 2:
			want[Changed]++
			fmt.Fprintf(&after, "%d,user%d,T\n", i, i)
		case i%30 == 3: // another id
			fmt.Fprintf(&after, "%d,user%d,t\n", i+1000, i)
		default:
			fmt.Fprintf(&after, "%d,user%d,t\n", i, i)
		}
	}
	var all []string
	for _, atOnce := range []int64{0, 3, 20, 100} {
		got, result, err := compared(t, before.String(), after.String(), func(c *Comparison) { c.atOnce = atOnce })
		if err != nil {
			t.Fatal(err)
		}
		if all == nil {
			all = got
		}
		if d := cmp.Diff(all, got); d != "" {
			t.Errorf("with %d at once (-all at once +so)\n%s", atOnce, d)
		}
		n := map[string]int64{Came: result.Came, Went: result.Went, Changed: result.Changed}
		if d := cmp.Diff(want, n); d != "" || len(got) != int(n[Came]+n[Went]+n[Changed]) {
			t.Errorf("with %d at once, %d told (-want +got)\n%s", atOnce, len(got), d)
		}
	}
}

// TestDiffWent asks what the change set does with who went.
func TestDiffWent(t *testing.T) {
	for _, tc := range []struct {
		went, want string
		rules      plan.Rules
	}{
		{went: "", want: "delete"},
		{went: WentDelete, want: "delete"},
		{went: WentDeactivate, want: "deactivate"},
		{went: WentKeep, want: "skip"},
		{went: WentDelete, want: "reject", rules: plan.Rules{NoDelete: "nobody may"}},
	} {
		t.Run(tc.went+" "+tc.want, func(t *testing.T) {
			in := openBoth(t, "id,userName,active\n1,a,true\n", "id,userName,active\n2,b,true\n")
			schema := scim.Builtin("User")
			target, err := schema.Resolve(scim.Path{Attr: "userName"})
			if err != nil {
				t.Fatal(err)
			}
			tc.rules.Schema = schema
			c := &Comparison{Rules: tc.rules, Match: target, Went: tc.went, Meter: &Meter{}}
			for i, state := range []**State{&c.Old, &c.New} {
				if *state, err = FileState("x", in[i], "User", "userName", schema); err != nil {
					t.Fatal(err)
				}
			}
			stop := errors.New("one is enough")
			_, err = c.Run(t.Context(), func(d *Delta) error {
				if d.Kind != Went || string(d.Change.Action) != tc.want || d.Seen["active"] == "" {
					t.Errorf("%s: %s, seen %v", d.Kind, d.Change.Action, d.Seen)
				}
				return stop
			})
			if !errors.Is(err, stop) {
				t.Errorf("error %v, want that of who is told", err)
			}
		})
	}
}
