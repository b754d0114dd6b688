package mapping

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"scimbulk/internal/rows"
	"scimbulk/internal/scim"
)

const benchRows = 20_000

const benchMapping = `
attributes:
  userName: '=lower(left(first_name, 1) + last_name) + "@acme.com"'
  displayName: =first_name + " " + last_name
  active: =status == "Active"
  name.givenName: First Name
  name.familyName: Last Name
  emails[type eq "work"].value: Work Email
  phoneNumbers[type eq "work"].value: Office Phone
  title: Title
  enterprise:department: Department
  enterprise:division: Division
  enterprise:costCenter: Cost Center
  enterprise:employeeNumber: Employee ID
  addresses[type eq "work"].locality: City
  addresses[type eq "work"].country: Country
`

// benchFile writes a file of twelve columns.
func benchFile(b testing.TB) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bench.csv")
	var s strings.Builder
	s.WriteString("Employee ID,First Name,Last Name,Status,Work Email,Office Phone,Title,Department,Division,Cost Center,City,Country\n")
	for i := range benchRows {
		fmt.Fprintf(&s, "E%06d,Ümit%d,Müller%d,Active,umit.mueller%d@acme.com,+49 30 %07d,Sales Executive,Sales,Electronics,CC%04d,Berlin,DE\n", i, i, i, i, i, i%100)
	}
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkReadAndMap reads a file and maps its rows, as an import does. The
// target is three times BenchmarkByHand.
func BenchmarkReadAndMap(b *testing.B) {
	path := benchFile(b)
	f, err := Parse("bench.yaml", []byte(benchMapping))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := rows.Open(path, rows.Options{})
		if err != nil {
			b.Fatal(err)
		}
		m, err := f.Compile(r.Header(), r.Nested(), Options{Input: path})
		if err != nil {
			b.Fatal(err)
		}
		mapper, n := m.NewMapper(), 0
		for row, err := range r.Rows(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			if _, err := mapper.Map(&row); err != nil {
				b.Fatal(err)
			}
			n++
		}
		r.Close()
		if n != benchRows {
			b.Fatal(n)
		}
	}
	perRow(b)
}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

// BenchmarkByHand is what somebody would write for this very file: read with
// encoding/csv, build the body and marshal it.
func BenchmarkByHand(b *testing.B) {
	path := benchFile(b)
	b.ReportAllocs()
	for b.Loop() {
		in, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r := csv.NewReader(in)
		r.ReuseRecord = true
		r.Read()
		n := 0
		for {
			c, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(byHand(c)); err != nil {
				b.Fatal(err)
			}
			n++
		}
		in.Close()
		if n != benchRows {
			b.Fatal(n)
		}
	}
	perRow(b)
}

// byHand builds the body out of structs, the cheapest way there is.
func byHand(c []string) benchUser {
	first := []rune(c[1])
	return benchUser{
		Schemas:     []string{scim.UserURN, scim.EnterpriseURN},
		UserName:    strings.ToLower(string(first[:1])+c[2]) + "@acme.com",
		DisplayName: c[1] + " " + c[2],
		Active:      c[3] == "Active",
		Name:        benchName{c[1], c[2]},
		Emails:      []benchPlural{{"work", c[4]}},
		Phones:      []benchPlural{{"work", c[5]}},
		Title:       c[6],
		Enterprise:  benchEnterprise{c[7], c[8], c[9], c[0]},
		Addresses:   []benchAddress{{"work", c[10], c[11]}},
	}
}

type (
	benchUser struct {
		Schemas     []string        `json:"schemas"`
		UserName    string          `json:"userName"`
		DisplayName string          `json:"displayName"`
		Active      bool            `json:"active"`
		Name        benchName       `json:"name"`
		Emails      []benchPlural   `json:"emails"`
		Phones      []benchPlural   `json:"phoneNumbers"`
		Title       string          `json:"title"`
		Enterprise  benchEnterprise `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
		Addresses   []benchAddress  `json:"addresses"`
	}
	benchName struct {
		Given  string `json:"givenName"`
		Family string `json:"familyName"`
	}
	benchPlural struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	benchEnterprise struct {
		Department string `json:"department"`
		Division   string `json:"division"`
		CostCenter string `json:"costCenter"`
		Number     string `json:"employeeNumber"`
	}
	benchAddress struct {
		Type     string `json:"type"`
		Locality string `json:"locality"`
		Country  string `json:"country"`
	}
)
