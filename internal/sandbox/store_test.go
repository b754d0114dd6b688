package sandbox

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// TestMain lets the test binary be the process that a test kills, and sees that
// nothing goes on after a sandbox was closed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SANDBOX_TEST_VICTIM"); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// victim creates users from several goroutines until it is killed, and prints
// each userName after the create was acknowledged.
func victim(dir string) {
	s, err := New(Options{Dir: dir, Audit: filepath.Join(dir, "audit")})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	var out sync.Mutex
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("user-%d-%d", w, i)
				body := `{"schemas":["` + userURN + `"],"userName":"` + name + `"}`
				r, _ := http.NewRequest("POST", "http://sandbox/scim/v2/Users", strings.NewReader(body))
				r.Header.Set("Content-Type", scimType)
				res, err := s.Transport().RoundTrip(r)
				if err != nil || res.StatusCode != 201 {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(name)
				out.Unlock()
			}
		}()
	}
	select {}
}

func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "SANDBOX_TEST_VICTIM="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 500 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(acknowledged) < 500 {
		t.Fatalf("the victim ended by itself (%v) after %d creates: %q", err, len(acknowledged), acknowledged)
	}
	b := open(t, Options{Dir: dir})
	audit, err := os.ReadFile(filepath.Join(dir, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(audit) {
		_, rest, _ := strings.Cut(string(line), `"id":"`)
		id, _, ok := strings.Cut(rest, `"`)
		if bytes.Contains(line, []byte(`"kind":"commit"`)) && ok && b.dir.users.byID[id] == nil {
			t.Errorf("the audit has a change that is not there: %s", line)
		}
	}
	for _, name := range acknowledged {
		if !strings.HasPrefix(name, "user-") {
			t.Fatal(name)
		}
		if got := b.call("GET", "/Users?filter=userName%20eq%20%22"+name+"%22", ""); got.at("totalResults") != "1" {
			t.Errorf("%s was acknowledged and is not there", name)
		}
		if !bytes.Contains(audit, []byte(`"key":"`+name+`"`)) {
			t.Errorf("%s was acknowledged and is not in the audit", name)
		}
	}
}

// Whatever a directory shows, it shows again after it was closed and opened.
func TestReopenedDirectoryIsTheSame(t *testing.T) {
	dir := t.TempDir()
	show := func(b *box) []string {
		var out []string
		for _, path := range []string{"/Users?count=100", "/Groups?count=100", "/Users?filter=active%20eq%20false", `/Users?filter=externalId%20eq%20%22x%22`} {
			out = append(out, strings.ReplaceAll(b.call("GET", path, "").want(t, 200, "").text, b.url, ""))
		}
		return out
	}
	s, err := New(Options{Dir: dir, Seed: 40})
	if err != nil {
		t.Fatal(err)
	}
	b := serve(t, s)
	first := b.call("GET", "/Users?count=1", "").at("Resources/0/id")
	third := b.call("GET", "/Users?count=1&startIndex=3", "").at("Resources/0/id")
	b.call("DELETE", "/Users/"+first, "").want(t, 204, "")
	b.call("PATCH", "/Users/"+third, patchBody(`{"op":"add","path":"externalId","value":"x"}`)).want(t, 200, "")
	b.group(`"displayName":"Nested","members":[{"value":"` + third + `"}]`)
	want := show(b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, show(open(t, Options{Dir: dir, Seed: 40}))); diff != "" {
		t.Error(diff)
	}
}

func TestStoreInUse(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	_, err := New(Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "open in another process") {
		t.Errorf("a store that is open elsewhere: %v", err)
	}
}

func TestDamagedRecords(t *testing.T) {
	good := encodeRevision(&revision{id: "1", key: "ada", doc: []byte(`{}`), members: []string{"2", "3"}})
	if _, err := decodeRevision(good); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := decodeRevision(good[:n]); err == nil {
			t.Errorf("a record cut after %d of %d bytes was taken", n, len(good))
		}
	}
}
