package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Seeded people are made up. Everything about the i-th of them follows from
// i alone, so that a directory of N can be made again from N.

func givenNames() []string {
	return strings.Fields(`Amélie Björn Chloé Dörte Esra Ffion Grzegorz Håkon Ines Jürgen Kwame Léa Mateo Nkechi
 Oğuz Priya Quentin Rósa Søren Thandiwe Ursula Vikram Wanda Ximena Yusuf Zoë Anna Ben Carla David Elif Finn Greta Hugo`)
}

func familyNames() []string {
	return strings.Split("Müller,O'Brien,García Márquez,Nakamura,D'Angelo,Kowalczyk,Østergaard,van der Berg,Şahin,Nguyễn,"+
		"Smith-Jones,Okonkwo,Lindström,Fernández,Weiß,Ivanova,McDonald,Papadopoulos,Hernández,Dvořák,Ó Súilleabháin,"+
		"Yılmaz,Schröder,Castillo,Bergström,Adeyemi,Rossi,Tanaka,De la Cruz,Novák,Bauer", ",")
}

func departments() []string {
	return strings.Split("Sales,Customer Care,Finance,Human Resources,Research & Development,Legal,IT Operations,Logistics", ",")
}

func titles() []string {
	return strings.Split("Agent,Senior Agent,Team Lead,Analyst,Engineer,Manager,Specialist,Coordinator,Head of Department", ",")
}

func cities() []string {
	return strings.Split("Köln|DE|50667,Galway|IE|H91 E2K3,São Paulo|BR|01310-100,Łódź|PL|90-001,Austin|US|78701,Zürich|CH|8001", ",")
}

// seedStart is the day on which the seeded directory came into being; it is
// long past, so that nobody takes a seeded person for one of their own.
func seedStart() time.Time { return time.Date(2024, 1, 8, 7, 0, 0, 0, time.UTC) }

// dice is a reproducible source of choices for one person.
type dice struct{ b [32]byte }

func roll(kind string, i int) dice {
	return dice{sha256.Sum256([]byte(kind + strconv.Itoa(i)))}
}

// pick returns a number below n; each place gives an independent one.
func (d dice) pick(place, n int) int {
	return int(binary.BigEndian.Uint16(d.b[2*place:])) % n
}

func (d dice) id() string {
	var b [16]byte
	copy(b[:], d.b[16:])
	return formatID(b)
}

// seed fills an empty directory with n people and n/20 groups.
func (d *directory) seed(n int) error {
	users := make([]*revision, n)
	for i := range users {
		users[i] = d.seedUser(i)
		d.users.insert(users[i])
	}
	groups := make([]*revision, n/20)
	for g := range groups {
		groups[g] = d.seedGroup(g, n)
		d.groups.insert(groups[g])
		d.linkMembers(nil, groups[g])
	}
	if d.store == nil {
		return nil
	}
	if err := d.store.fill("User", users); err != nil {
		return err
	}
	return d.store.fill("Group", groups)
}

// asciiOf spells a name for an e-mail address.
func asciiOf(name string) string {
	r := strings.NewReplacer("é", "e", "ö", "oe", "ü", "ue", "å", "aa", "ğ", "g", "ó", "o", "ø", "oe", "ë", "e",
		"í", "i", "á", "a", "ş", "s", "ễ", "e", "ß", "ss", "ř", "r", "ú", "u", "ı", "i", "'", "", " ", "", "-", "")
	return r.Replace(strings.ToLower(name))
}

func (d *directory) seedUser(i int) *revision {
	dc := roll("user", i)
	given := givenNames()[dc.pick(0, len(givenNames()))]
	family := familyNames()[dc.pick(1, len(familyNames()))]
	login := fmt.Sprintf("%s.%s.%d@example.com", asciiOf(given), asciiOf(family), i+1)
	doc := newObject(member{"userName", login})
	if i%7 != 3 {
		doc.set("externalId", fmt.Sprintf("hr-%06d", i+1))
	}
	if d.rules.user.attribute("name") != nil {
		doc.set("name", newObject(member{"formatted", given + " " + family}, member{"familyName", family}, member{"givenName", given}))
	}
	doc.set("displayName", given+" "+family)
	doc.set("title", titles()[dc.pick(2, len(titles()))])
	doc.set("active", i%11 != 10)
	doc.set("emails", d.seedEmails(login, i))
	doc.set("phoneNumbers", seedPhones(dc, i))
	if i%4 == 0 && d.rules.user.attribute("addresses") != nil {
		doc.set("addresses", seedAddress(dc))
	}
	doc.set(enterpriseURN, d.seedEmployment(dc, i))
	if d.rules.seedMore != nil {
		d.rules.seedMore(doc, dc, i)
	}
	return d.seeded(d.rules.user, doc, dc.id(), i)
}

// seeded makes the first revision of a seeded resource.
func (d *directory) seeded(t *resourceType, doc *object, id string, i int) *revision {
	at := seedStart().Add(time.Duration(i) * time.Second)
	rev := &revision{id: id, seq: uint64(i + 1), version: 1, created: at, modified: at, active: true}
	dr := draft{t: t, doc: doc}
	describeDoc(rev, dr)
	rev.doc = appendJSON(make([]byte, 0, 1024), arrange(dr, id))
	return rev
}

func (d *directory) seedEmails(login string, i int) []any {
	if d.rules.softDelete { // genesys: the address of type other mirrors userName
		return []any{newObject(member{"value", login}, member{"type", "work"}, member{"primary", true}),
			newObject(member{"value", login}, member{"type", "other"})}
	}
	list := []any{newObject(member{"value", login}, member{"type", "work"}, member{"primary", true})}
	if i%3 == 0 {
		private := "p" + strconv.Itoa(i+1) + "@private.example.net"
		list = append(list, newObject(member{"value", private}, member{"type", "home"}))
	}
	return list
}

func seedPhones(dc dice, i int) []any {
	work := fmt.Sprintf("+1317555%04d", dc.pick(3, 10000))
	list := []any{newObject(member{"value", work}, member{"type", "work"}, member{"primary", true})}
	if i%5 == 1 {
		list = append(list, newObject(member{"value", fmt.Sprintf("+49151555%05d", dc.pick(4, 65000))}, member{"type", "mobile"}))
	}
	return list
}

func seedAddress(dc dice) []any {
	place := strings.Split(cities()[dc.pick(5, len(cities()))], "|")
	return []any{newObject(
		member{"streetAddress", "Lindenstraße " + strconv.Itoa(1+dc.pick(6, 120))}, member{"locality", place[0]},
		member{"postalCode", place[2]}, member{"country", place[1]}, member{"type", "work"}, member{"primary", true},
	)}
}

// seedEmployment gives everybody but the first a manager who came earlier.
func (d *directory) seedEmployment(dc dice, i int) *object {
	o := newObject(
		member{"employeeNumber", fmt.Sprintf("%06d", 100001+i)},
		member{"department", departments()[dc.pick(7, len(departments()))]},
	)
	if i > 0 && i%9 != 0 {
		boss := d.users.slots[(i-1)/9].rev
		manager := newObject(member{"value", boss.id}, member{"$ref", d.rules.managerRef + boss.id})
		if d.rules.managerName {
			manager.set("displayName", boss.display)
		}
		o.set("manager", manager)
	}
	return o
}

// seedGroup names group g after a department and gives it some of n people.
func (d *directory) seedGroup(g, n int) *revision {
	dc := roll("group", g)
	name := fmt.Sprintf("%s %d", departments()[g%len(departments())], g/len(departments())+1)
	doc := newObject(member{"displayName", name})
	if g%3 == 0 {
		doc.set("externalId", fmt.Sprintf("grp-%05d", g+1))
	}
	rev := d.seeded(d.rules.group, doc, dc.id(), g)
	step := 1 + dc.pick(0, 13)
	for k := range min(10+dc.pick(1, 21), n) {
		id := d.users.slots[(g*20+k*step)%n].rev.id
		if !slices.Contains(rev.members, id) {
			rev.members = append(rev.members, id)
		}
	}
	return rev
}
