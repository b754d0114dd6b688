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

// seeder makes them; its tables are what they are made of.
type seeder struct {
	d           *directory
	given       []string
	family      []string
	departments []string
	titles      []string
	cities      []string
	ascii       *strings.Replacer
}

func newSeeder(d *directory) *seeder {
	list := func(text string) []string { return strings.Split(text, ",") }
	return &seeder{
		d: d,
		given: list("Amélie,Björn,Chloé,Dörte,Esra,Ffion,Grzegorz,Håkon,Ines,Jürgen,Kwame,Léa,Mateo,Nkechi,Oğuz,Priya," +
			"Quentin,Rósa,Søren,Thandiwe,Ursula,Vikram,Wanda,Ximena,Yusuf,Zoë,Anna,Ben,Carla,David,Elif,Finn,Greta,Hugo"),
		family: list("Müller,O'Brien,García Márquez,Nakamura,D'Angelo,Kowalczyk,Østergaard,van der Berg,Şahin,Nguyễn," +
			"Smith-Jones,Okonkwo,Lindström,Fernández,Weiß,Ivanova,McDonald,Papadopoulos,Hernández,Dvořák,Ó Súilleabháin," +
			"Yılmaz,Schröder,Castillo,Bergström,Adeyemi,Rossi,Tanaka,De la Cruz,Novák,Bauer"),
		departments: list("Sales,Customer Care,Finance,Human Resources,Research & Development,Legal,IT Operations,Logistics"),
		titles:      list("Agent,Senior Agent,Team Lead,Analyst,Engineer,Manager,Specialist,Coordinator,Head of Department"),
		cities:      list("Köln|DE|50667,Galway|IE|H91 E2K3,São Paulo|BR|01310-100,Łódź|PL|90-001,Austin|US|78701,Zürich|CH|8001"),
		ascii: strings.NewReplacer("é", "e", "ö", "oe", "ü", "ue", "å", "aa", "ğ", "g", "ó", "o", "ø", "oe", "ë", "e",
			"í", "i", "á", "a", "ş", "s", "ễ", "e", "ß", "ss", "ř", "r", "ú", "u", "ı", "i", "'", "", " ", "", "-", ""),
	}
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
	sd := newSeeder(d)
	users := make([]*revision, n)
	for i := range users {
		users[i] = sd.user(i)
		d.users.insert(users[i])
	}
	groups := make([]*revision, n/20)
	for g := range groups {
		groups[g] = sd.group(g, n)
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

// login spells a name for an e-mail address.
func (sd *seeder) login(name string) string { return sd.ascii.Replace(strings.ToLower(name)) }

func (sd *seeder) user(i int) *revision {
	dc := roll("user", i)
	given := sd.given[dc.pick(0, len(sd.given))]
	family := sd.family[dc.pick(1, len(sd.family))]
	login := fmt.Sprintf("%s.%s.%d@example.com", sd.login(given), sd.login(family), i+1)
	doc := newObject(member{"userName", login})
	if i%7 != 3 {
		doc.set("externalId", fmt.Sprintf("hr-%06d", i+1))
	}
	if sd.d.rules.user.attribute("name") != nil {
		doc.set("name", newObject(member{"formatted", given + " " + family}, member{"familyName", family}, member{"givenName", given}))
	}
	doc.set("displayName", given+" "+family)
	doc.set("title", sd.titles[dc.pick(2, len(sd.titles))])
	doc.set("active", i%11 != 10)
	doc.set("emails", sd.emails(login, i))
	doc.set("phoneNumbers", seedPhones(dc, i))
	if i%4 == 0 && sd.d.rules.user.attribute("addresses") != nil {
		doc.set("addresses", sd.address(dc))
	}
	doc.set(enterpriseURN, sd.employment(dc, i))
	if sd.d.rules.seedMore != nil {
		sd.d.rules.seedMore(doc, dc, i)
	}
	return sd.resource(sd.d.rules.user, doc, dc.id(), i)
}

// resource makes the first revision of a seeded resource.
func (sd *seeder) resource(t *resourceType, doc *object, id string, i int) *revision {
	at := seedStart().Add(time.Duration(i) * time.Second)
	rev := &revision{id: id, seq: uint64(i + 1), version: 1, created: at, modified: at, active: true}
	dr := draft{t: t, doc: doc}
	describeDoc(rev, dr)
	rev.doc = appendJSON(make([]byte, 0, 1024), arrange(dr, id))
	return rev
}

func (sd *seeder) emails(login string, i int) []any {
	if sd.d.rules.mirrorsEmail {
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

func (sd *seeder) address(dc dice) []any {
	place := strings.Split(sd.cities[dc.pick(5, len(sd.cities))], "|")
	return []any{newObject(
		member{"streetAddress", "Lindenstraße " + strconv.Itoa(1+dc.pick(6, 120))}, member{"locality", place[0]},
		member{"postalCode", place[2]}, member{"country", place[1]}, member{"type", "work"}, member{"primary", true},
	)}
}

// employment gives everybody but the first a manager who came earlier.
func (sd *seeder) employment(dc dice, i int) *object {
	o := newObject(
		member{"employeeNumber", fmt.Sprintf("%06d", 100001+i)},
		member{"department", sd.departments[dc.pick(7, len(sd.departments))]},
	)
	if i > 0 && i%9 != 0 {
		boss := sd.d.users.slots[(i-1)/9].rev
		manager := newObject(member{"value", boss.id}, member{"$ref", sd.d.rules.managerRef + boss.id})
		if sd.d.rules.managerName {
			manager.set("displayName", boss.display)
		}
		o.set("manager", manager)
	}
	return o
}

// group names group g after a department and gives it some of n people.
func (sd *seeder) group(g, n int) *revision {
	dc := roll("group", g)
	name := fmt.Sprintf("%s %d", sd.departments[g%len(sd.departments)], g/len(sd.departments)+1)
	doc := newObject(member{"displayName", name})
	if g%3 == 0 {
		doc.set("externalId", fmt.Sprintf("grp-%05d", g+1))
	}
	rev := sd.resource(sd.d.rules.group, doc, dc.id(), g)
	step := 1 + dc.pick(0, 13)
	for k := range min(10+dc.pick(1, 21), n) {
		id := sd.d.users.slots[(g*20+k*step)%n].rev.id
		if !slices.Contains(rev.members, id) {
			rev.members = append(rev.members, id)
		}
	}
	return rev
}
