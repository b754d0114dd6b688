package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

// loop is what scimbulk is measured against: it posts ready-made bodies, a line
// of a file each, and does nothing else. No row is read, mapped, planned,
// recorded or looked at again.
func loop(args []string) error {
	flags := flag.NewFlagSet("loop", flag.ContinueOnError)
	url := flags.String("url", "", "base URL")
	file := flags.String("bodies", "", "file of bodies, one a line")
	workers := flags.Int("workers", 16, "requests at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f, err := os.Open(*file)
	if err != nil {
		return err
	}
	defer f.Close()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = *workers
	p := &poster{client: &http.Client{Transport: transport}, url: *url + "/Users", bodies: make(chan []byte, *workers)}
	for range *workers {
		p.running.Go(p.post)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.bodies <- bytes.Clone(lines.Bytes())
	}
	close(p.bodies)
	p.running.Wait()
	return errors.Join(lines.Err(), p.err)
}

type poster struct {
	client  *http.Client
	url     string
	bodies  chan []byte
	running sync.WaitGroup
	once    sync.Once
	err     error
}

func (p *poster) post() {
	for body := range p.bodies {
		if err := p.create(body); err != nil {
			p.once.Do(func() { p.err = err })
		}
	}
}

func (p *poster) create(body []byte) error {
	req, err := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}
