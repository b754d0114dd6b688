package pipeline

import (
	"errors"
	"strconv"

	"scimbulk/internal/plan"
	"scimbulk/internal/rows"
)

// What is kept of a row that waits for its memberships, cell by cell. Its own
// cells are not: nothing of it can be rejected any more.
const (
	heldUser = iota // the id of the person
	heldKey
	heldOp
	heldOutcome
	heldDetail
	heldID
	heldStatus
	heldScimType
	heldAttempts
	heldCorrelation
	heldFlags
	heldCells
)

// Flags of a row that waits.
const (
	flagDoubt = 1 << iota
	flagLame
	flagTurnedOff
)

func heldRow(w *row, result *Result, user string) *rows.Row {
	flags := 0
	for flag, set := range map[int]bool{flagDoubt: result.Doubt, flagLame: result.Lame, flagTurnedOff: result.turnedOff} {
		if set {
			flags |= flag
		}
	}
	cells := make([]string, heldCells)
	cells[heldUser], cells[heldKey], cells[heldOp], cells[heldOutcome] = user, result.Key, string(result.Op), string(result.Outcome)
	cells[heldDetail], cells[heldID], cells[heldStatus] = result.Text(), result.ID, strconv.Itoa(result.Status)
	cells[heldScimType], cells[heldAttempts] = result.ScimType, strconv.Itoa(result.Attempts)
	cells[heldCorrelation], cells[heldFlags] = result.CorrelationID, strconv.Itoa(flags)
	return &rows.Row{Number: w.row.Number, Line: w.row.Line, Offset: w.row.Offset, Cells: cells}
}

func heldResult(row *rows.Row) (*Result, error) {
	if len(row.Cells) != heldCells {
		return nil, errHeld
	}
	var numbers [3]int
	for i, cell := range [...]int{heldStatus, heldAttempts, heldFlags} {
		n, err := strconv.Atoi(row.Cells[cell])
		if err != nil {
			return nil, errHeld
		}
		numbers[i] = n
	}
	flags := numbers[2]
	return &Result{
		Row: &rows.Row{Number: row.Number, Line: row.Line, Offset: row.Offset},
		Key: row.Cells[heldKey], Op: plan.Op(row.Cells[heldOp]), Outcome: Outcome(row.Cells[heldOutcome]),
		Detail: row.Cells[heldDetail], ID: row.Cells[heldID], Status: numbers[0], ScimType: row.Cells[heldScimType],
		Attempts: numbers[1], CorrelationID: row.Cells[heldCorrelation],
		Doubt: flags&flagDoubt > 0, Lame: flags&flagLame > 0, turnedOff: flags&flagTurnedOff > 0,
	}, nil
}

var errHeld = errors.New("a row that waited for its memberships is not as it was written")
