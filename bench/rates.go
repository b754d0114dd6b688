package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ratesCases is how many limits of each kind are drawn.
const ratesCases = 18

// rateTable has the test of the rate controller draw its cases, thirty virtual
// minutes each, and takes its table over.
func rateTable(ctx context.Context, b *bench) (*section, error) {
	if b.short {
		return nil, nil // go test draws a dozen of them
	}
	if b.rates != "" {
		return ratesSection(b.rates)
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	out := filepath.Join(b.folder, "rates.md")
	args := []string{"test", "-C", here, "./internal/scim", "-count=1", "-timeout", "0", "-run", "^TestRateTable$", "-rates.cases", fmt.Sprint(ratesCases), "-rates.out", out}
	if _, err := b.run(ctx, nil, "go", args...); err != nil {
		return nil, err
	}
	return ratesSection(out)
}

func ratesSection(path string) (*section, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return &section{
		title:   "Rates",
		command: fmt.Sprintf("go test ./internal/scim -run TestRateTable -rates.cases %d -rates.out FILE", ratesCases),
		note:    "Shares of what an ideal client gets that knows the limit; docs/pacing.md says what the kinds are.",
		table:   strings.TrimSpace(string(text)),
	}, nil
}
