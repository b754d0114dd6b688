package mapping

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"scimbulk/internal/scim"
)

// valueError is a value that its attribute cannot have.
type valueError struct{ message, hint string }

func (e *valueError) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + " (" + e.hint + ")"
}

const booleanHint = "use true/false, yes/no, y/n, on/off, 1/0, active/inactive or enabled/disabled"

// convert makes a value of the attribute's type out of text that is not blank.
func convert(attr *scim.Attribute, s string, date *dateFormat) (any, error) {
	switch attr.Type {
	case "boolean":
		if b, ok := parseBoolean(s); ok {
			return b, nil
		}
		return nil, &valueError{shown(s) + " is neither true nor false", booleanHint}
	case "integer":
		return convertInteger(s)
	case "decimal":
		return convertDecimal(s)
	case "dateTime":
		return convertDateTime(s, date)
	case "complex":
		return nil, &valueError{attr.Name + " is made of parts", "map one of its sub-attributes"}
	}
	if date != nil {
		return date.day(s)
	}
	return s, nil
}

// shortened refuses text that a spreadsheet has taken digits from, where text
// is wanted. What comes as JSON was in no spreadsheet.
func shortened(attr *scim.Attribute, s string) error {
	switch attr.Type {
	case "boolean", "integer", "decimal", "dateTime":
		return nil
	}
	if !mangledNumber(s) {
		return nil
	}
	return &valueError{s + " is a number that a spreadsheet has shortened", "format the column as text and save the file again"}
}

// parseBoolean reads the words that people and systems use, German and French
// spreadsheets among them.
func parseBoolean(s string) (value, ok bool) {
	if len(s) > len("disabled") {
		return false, false
	}
	switch strings.ToLower(s) {
	case "true", "yes", "y", "on", "1", "active", "enabled", "ja", "wahr", "aktiv", "oui", "vrai", "actif":
		return true, true
	case "false", "no", "n", "off", "0", "inactive", "disabled", "nein", "falsch", "inaktiv", "non", "faux", "inactif":
		return false, true
	}
	return false, false
}

func convertInteger(s string) (any, error) {
	n, err := convertDecimal(s)
	if err != nil {
		return nil, &valueError{shown(s) + " is not an integer", ""}
	}
	r, ok := new(big.Rat).SetString(string(n.(scim.Number)))
	if !ok || !r.IsInt() {
		return nil, &valueError{shown(s) + " is not an integer", ""}
	}
	return scim.Number(r.Num().String()), nil
}

// longestNumber keeps arithmetic on absurd exponents from taking for ever.
const longestNumber = 64

// convertDecimal keeps the number as it is written wherever JSON can.
func convertDecimal(s string) (any, error) {
	t := strings.TrimPrefix(s, "+")
	negative := strings.HasPrefix(t, "-")
	t = strings.TrimPrefix(t, "-")
	whole, rest := t, ""
	if i := strings.IndexAny(t, ".eE"); i >= 0 {
		whole, rest = t[:i], t[i:]
	}
	if whole == "" && strings.HasPrefix(rest, ".") {
		whole = "0"
	}
	if len(s) > longestNumber || !isDigits(whole) || !isFraction(rest) {
		hint := ""
		if strings.Contains(s, ",") {
			hint = "write a decimal point and no thousands separator"
		}
		return nil, &valueError{shown(s) + " is not a number", hint}
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if negative {
		whole = "-" + whole
	}
	return scim.Number(whole + rest), nil
}

// isFraction reads ["." digits] ["e" ["+"|"-"] digits], the exponent of three
// digits at most.
func isFraction(s string) bool {
	if strings.HasPrefix(s, ".") {
		end := strings.IndexAny(s, "eE")
		if end < 0 {
			end = len(s)
		}
		if !isDigits(s[1:end]) {
			return false
		}
		s = s[end:]
	}
	if s == "" {
		return true
	}
	exponent := strings.TrimLeft(s[1:], "+-")
	return (s[0] == 'e' || s[0] == 'E') && len(s)-1-len(exponent) <= 1 && isDigits(exponent) && len(exponent) <= 3
}

// convertAny makes a value of the attribute's type out of what an expression,
// a constant or a JSON value gives. Numbers and truths that become text are
// written as JSON writes them.
func convertAny(attr *scim.Attribute, v any, date *dateFormat) (any, error) {
	switch v := v.(type) {
	case string:
		return convert(attr, v, date)
	case bool:
		return convertBool(attr, v)
	case scim.Number:
		return convertNumber(attr, v)
	case int:
		return convertNumber(attr, scim.Number(strconv.Itoa(v)))
	case int64:
		return convertNumber(attr, scim.Number(strconv.FormatInt(v, 10)))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, &valueError{"the result is not a number", ""}
		}
		return convertNumber(attr, scim.Number(strconv.FormatFloat(v, 'f', -1, 64)))
	}
	return nil, &valueError{fmt.Sprintf("%s cannot be %s", attr.Name, kindOf(v)), "it is " + article(attr.Type)}
}

func convertBool(attr *scim.Attribute, v bool) (any, error) {
	switch attr.Type {
	case "boolean":
		return v, nil
	case "string":
		return strconv.FormatBool(v), nil
	}
	return nil, &valueError{fmt.Sprintf("%s cannot be a boolean", attr.Name), "it is " + article(attr.Type)}
}

func convertNumber(attr *scim.Attribute, n scim.Number) (any, error) {
	switch attr.Type {
	case "decimal":
		return n, nil
	case "integer":
		return convertInteger(string(n))
	case "string":
		return string(n), nil
	}
	return nil, &valueError{fmt.Sprintf("%s cannot be the number %s", attr.Name, n), "it is " + article(attr.Type)}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "a boolean"
	case []any, []string:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// article is a schema type as a message names it.
func article(typ string) string {
	switch typ {
	case "string":
		return "a text"
	case "integer":
		return "an integer"
	case "complex":
		return "made of parts"
	}
	return "a " + typ
}
