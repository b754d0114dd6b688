package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"scimbulk/internal/pipeline"
)

// twoStops gives a run its two contexts. The first signal ends take: no more
// rows, or pages, are begun, those in hand are finished. The second ends work: requests
// are broken off. release must be called when the run is over.
func twoStops(ctx context.Context, talk io.Writer, items string) (take, work context.Context, release func()) {
	work, breakOff := context.WithCancel(ctx)
	take, drain := context.WithCancelCause(work)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		for presses := 1; ; presses++ {
			select {
			case <-signals:
			case <-over:
				return
			}
			if presses == 1 {
				fmt.Fprintf(talk, "\nstopping: the %s in hand are being finished; once more breaks them off\n", items)
				drain(pipeline.ErrInterrupted)
			} else {
				breakOff()
			}
		}
	}()
	return take, work, func() {
		signal.Stop(signals)
		close(over)
		drain(nil)
		breakOff()
	}
}
