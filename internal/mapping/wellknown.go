package mapping

import (
	"strings"
	"unicode"
)

// known is what a well-known header means.
type known struct {
	path   string
	ref    string
	negate bool
}

// knownHeader looks a header up in the table. Case, spaces and punctuation do
// not count, nor does what Microsoft and Google put in brackets, except that a
// bracket may hold the name of the property.
func knownHeader(header string) (known, bool) {
	name, bracket, _ := strings.Cut(header, "[")
	if k, ok := lookUpHeader(plainHeader(name)); ok {
		return k, true
	}
	inner, _, _ := strings.Cut(bracket, "]")
	return lookUpHeader(plainHeader(inner))
}

// plainHeader is a header's letters and digits, in lower case.
func plainHeader(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// lookUpHeader is the table: the headers of the user files of Microsoft 365
// and Entra, Okta, Google Workspace and Genesys Cloud, and of common HR
// exports, German and French ones too. A password is never among them, nor anything that would make a
// status into an operation.
func lookUpHeader(name string) (known, bool) {
	switch name {
	case "op":
		return known{path: "op"}, true
	case "blocksignin", "blocksigninyesno", "blockcredential", "suspended":
		return known{path: "active", negate: true}, true
	case "manageremail", "emailmanager", "managerusername", "managerupn", "manageruserprincipalname", "manageremailaddress", "linemanageremail", "supervisoremail", "manager",
		"vorgesetzter", "vorgesetzte", "vorgesetzteremail", "responsable", "emailresponsable", "emaildumanager":
		return known{path: "enterprise:manager", ref: "User.userName"}, true
	}
	if path := knownPath(name); path != "" {
		return known{path: path}, true
	}
	return known{}, false
}

func knownPath(name string) string {
	switch name {
	case "username", "userprincipalname", "upn", "login", "loginname", "logonname", "primaryemail", "benutzername", "anmeldename":
		return "userName"
	case "displayname", "fullname", "employeename", "name", "anzeigename", "nomcomplet":
		return "displayName"
	case "firstname", "givenname", "forename", "legalfirstname", "vorname", "prénom", "prenom":
		return "name.givenName"
	case "lastname", "surname", "familyname", "legallastname", "nachname", "familienname", "nom", "nomdefamille":
		return "name.familyName"
	case "middlename":
		return "name.middleName"
	case "honorificprefix", "prefix", "salutation":
		return "name.honorificPrefix"
	case "honorificsuffix", "suffix":
		return "name.honorificSuffix"
	case "nickname", "preferredname", "preferredfirstname", "knownas", "rufname":
		return "nickName"
	case "title", "jobtitle", "businesstitle", "employeetitle", "position", "stellenbezeichnung", "fonction", "poste":
		return "title"
	case "usertype", "employeetype", "workertype":
		return "userType"
	case "accountenabled", "enabled", "isactive", "active", "aktiv", "actif":
		return "active"
	case "preferredlanguage", "language", "sprache", "langue":
		return "preferredLanguage"
	case "locale":
		return "locale"
	case "timezone":
		return "timezone"
	case "profileurl":
		return "profileUrl"
	case "externalid":
		return "externalId"
	}
	if path := knownContact(name); path != "" {
		return path
	}
	return knownEnterprise(name)
}

func knownContact(name string) string {
	switch name {
	case "email", "emailaddress", "mail", "workemail", "businessemail", "workemailaddress", "emailadresse", "adresseemail", "courriel":
		return `emails[type eq "work"].value`
	case "homeemail", "personalemail":
		return `emails[type eq "home"].value`
	case "secondemail", "alternateemailaddress", "alternateemail", "recoveryemail", "otheremail":
		return `emails[type eq "other"].value`
	case "workphone", "officephone", "businessphone", "telephonenumber", "primaryphone", "phonework", "phone", "phonenumber", "telephone", "telefon", "telefonnummer", "téléphone":
		return `phoneNumbers[type eq "work"].value`
	case "mobilephone", "mobile", "cellphone", "mobilenumber", "mobil", "mobiltelefon", "mobilnummer", "handy", "portable":
		return `phoneNumbers[type eq "mobile"].value`
	case "homephone":
		return `phoneNumbers[type eq "home"].value`
	case "fax", "faxnumber":
		return `phoneNumbers[type eq "fax"].value`
	case "streetaddress", "address", "street", "straße", "strasse", "adresse", "rue":
		return `addresses[type eq "work"].streetAddress`
	case "city", "town", "locality", "ort", "stadt", "ville":
		return `addresses[type eq "work"].locality`
	case "state", "stateorprovince", "province", "region", "bundesland":
		return `addresses[type eq "work"].region`
	case "zip", "zipcode", "postalcode", "postcode", "ziporpostalcode", "plz", "postleitzahl", "codepostal":
		return `addresses[type eq "work"].postalCode`
	case "country", "countrycode", "countryorregion", "land", "pays":
		return `addresses[type eq "work"].country`
	}
	return ""
}

func knownEnterprise(name string) string {
	switch name {
	case "employeeid", "employeenumber", "empid", "personnelnumber", "workerid", "staffid", "personalnummer", "mitarbeiternummer", "matricule":
		return "enterprise:employeeNumber"
	case "department", "departmentname", "dept", "deptname", "abteilung", "département", "departement":
		return "enterprise:department"
	case "division":
		return "enterprise:division"
	case "costcenter", "costcentre", "kostenstelle", "centredecoûts", "centredecoût":
		return "enterprise:costCenter"
	case "organization", "organisation", "company", "companyname", "firma", "unternehmen", "société", "entreprise":
		return "enterprise:organization"
	}
	return ""
}
