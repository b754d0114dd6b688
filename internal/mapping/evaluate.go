package mapping

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr/file"
)

// evaluationError is why an expression gives nothing for a row, without the
// source: the mapping is right, the row is not.
func evaluationError(err error) error {
	if v, ok := errors.AsType[*valueError](err); ok {
		return v
	}
	message := err.Error()
	if f, ok := errors.AsType[*file.Error](err); ok {
		message = f.Message
	}
	if strings.Contains(message, "memory budget exceeded") {
		return &valueError{"the expression makes more than 10,000 values", ""}
	}
	if strings.HasPrefix(message, "index out of range") {
		return &valueError{"the expression asks for a part that the value does not have", `part(text, " ", 1) gives a blank instead`}
	}
	return &valueError{"the expression cannot be evaluated: " + message, ""}
}
