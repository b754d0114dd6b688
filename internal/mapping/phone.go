package mapping

import (
	"fmt"
	"strings"
)

// regionCode is how a country writes its numbers: its calling code (ITU-T
// E.164) and the trunk prefix that national numbers begin with.
type regionCode struct{ code, trunk string }

// regionCodes by ISO 3166 code. Italy keeps its zero.
func regionOf(name string) (regionCode, bool) {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "US", "CA", "PR", "DO", "JM":
		return regionCode{"1", "1"}, true
	case "GB", "UK":
		return regionCode{"44", "0"}, true
	case "RU", "KZ":
		return regionCode{"7", "8"}, true
	case "HU":
		return regionCode{"36", "06"}, true
	case "LT":
		return regionCode{"370", "8"}, true
	case "MX":
		return regionCode{"52", "01"}, true
	}
	code, ok := plainRegion(strings.ToUpper(strings.TrimSpace(name)))
	return code, ok
}

// trunkZero lists the countries whose trunk prefix is 0, noTrunk those that
// have none.
const (
	trunkZero = " AE:971 AL:355 AM:374 AR:54 AT:43 AU:61 BA:387 BD:880 BE:32 BG:359 BO:591 BR:55 CH:41 CN:86 CO:57 DE:49 DZ:213 EC:593 EG:20 ET:251 FI:358 FR:33 GE:995 GH:233 HR:385 ID:62 IE:353 IL:972 IN:91 IQ:964 IR:98 JO:962 JP:81 KE:254 KH:855 KR:82 LB:961 LK:94 LY:218 MA:212 MD:373 ME:382 MK:389 MM:95 MY:60 NA:264 NG:234 NL:31 NP:977 NZ:64 PE:51 PH:63 PK:92 PY:595 RO:40 RS:381 SA:966 SE:46 SI:386 SK:421 SY:963 TH:66 TR:90 TW:886 TZ:255 UA:380 UG:256 UY:598 VE:58 VN:84 ZA:27 ZM:260 ZW:263 "
	noTrunk   = " BH:973 CL:56 CR:506 CY:357 CZ:420 DK:45 EE:372 ES:34 GR:30 GT:502 HK:852 HN:504 IS:354 IT:39 KW:965 LU:352 LV:371 MO:853 MT:356 NI:505 NO:47 OM:968 PA:507 PL:48 PT:351 QA:974 SG:65 SN:221 SV:503 TN:216 "
)

func plainRegion(name string) (regionCode, bool) {
	if len(name) != 2 {
		return regionCode{}, false
	}
	for _, list := range [...]struct{ text, trunk string }{{trunkZero, "0"}, {noTrunk, ""}} {
		if _, after, ok := strings.Cut(list.text, " "+name+":"); ok {
			return regionCode{after[:strings.IndexByte(after, ' ')], list.trunk}, true
		}
	}
	return regionCode{}, false
}

// phone writes a number as E.164. A national number needs a region; without
// one it is left as it is. An extension (x123, ext. 123) is kept as ;ext=123
// (RFC 3966 §3).
func phone(s string, region regionCode) (string, error) {
	number, ext := cutExtension(s)
	digits, ok := dialled(number)
	if !ok {
		return "", &valueError{shown(s) + " is not a telephone number", ""}
	}
	switch {
	case strings.HasPrefix(digits, "+"):
	case strings.HasPrefix(digits, "00"):
		digits = "+" + digits[2:]
	case region.code == "":
		return s, nil
	case region.code == "1" && len(digits) == 11 && digits[0] == '1':
		digits = "+" + digits
	case region.code == "1" || region.trunk == "":
		digits = "+" + region.code + digits
	default:
		digits = "+" + region.code + strings.TrimPrefix(digits, region.trunk)
	}
	// E.164 §6.2.1: fifteen digits at most; fewer than seven is no number that
	// can be dialled from abroad.
	if n := len(digits) - 1; n < 7 || n > 15 || digits[1] == '0' {
		return "", &valueError{fmt.Sprintf("%s is not a telephone number of 7 to 15 digits", shown(s)), ""}
	}
	if ext != "" {
		digits += ";ext=" + ext
	}
	return digits, nil
}

// dialled takes the punctuation out of a number: +49 (0)30 1234-5.
func dialled(s string) (string, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "tel:")
	if strings.HasPrefix(s, "+") {
		s = strings.Replace(s, "(0)", "", 1)
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9', r == '+' && i == 0:
			b.WriteRune(r)
		case strings.ContainsRune(" -./()\u00a0\u2010\u2011\u2013", r):
		default:
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

// cutExtension separates what is dialled after the number.
func cutExtension(s string) (number, ext string) {
	folded := strings.ToLower(s)
	for _, mark := range []string{";ext=", "extension", "ext.", "ext", "x", "#"} {
		if i := strings.LastIndex(folded, mark); i > 0 {
			rest := strings.TrimSpace(s[i+len(mark):])
			if isDigits(rest) && len(rest) <= 8 {
				return strings.TrimSpace(s[:i]), rest
			}
		}
	}
	return s, ""
}
