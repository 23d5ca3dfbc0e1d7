package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// requests sends one after the other on schedule, each in its own goroutine.
func (r *Run) requests(ctx context.Context) {
	defer r.inFlight.Done()
	for n := 1; ; n++ {
		// By the clock: a ticker drops what a busy machine is late for, and with it the load.
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(n)*time.Second/time.Duration(r.plan.Rate) - r.since()):
		}
		r.inFlight.Add(1)
		go func() {
			defer r.inFlight.Done()
			if r.plan.WritePath != "" && n%10 == 0 {
				r.write()
				return
			}
			if _, err := r.send(http.MethodGet, r.plan.Request, ""); err != nil {
				r.fail(err)
			}
		}()
	}
}

// send sends a request and notes its answer, which has to be a good one.
func (r *Run) send(method, path, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.saysSentAgain(context.Background()), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, r.url(path), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		// Without a way to read it again the client cannot send it twice: a write that failed counts.
		request.GetBody = nil
		request.Header.Set("Content-Type", "application/json")
	}
	r.count(&r.report.Sent)
	began := time.Now()
	response, err := r.client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	r.answered(answer{at: r.since(), took: time.Since(began), version: response.Header.Get("X-Version")})
	return content, nil
}

// saysSentAgain is the context of a request that counts when it is sent again: Go's client silently does so with a read
// when a kept connection turns out to be closed, as browsers do. It is no failure, but it is said.
func (r *Run) saysSentAgain(ctx context.Context) context.Context {
	var connections atomic.Int64
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections.Add(1) > 1 {
			r.count(&r.report.SentAgain)
		}
	}})
}

func (r *Run) answered(a answer) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.answers = append(r.answers, a)
	if !r.versions[a.version] {
		r.versions[a.version] = true
		close(r.seen)
		r.seen = make(chan struct{})
	}
}

func (r *Run) write() {
	content, err := r.send(http.MethodPost, r.plan.WritePath, "{}")
	var row struct{ ID int }
	if err == nil {
		err = json.Unmarshal(content, &row)
	}
	if err != nil {
		r.fail(err)
		return
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.report.Written = append(r.report.Written, row.ID)
}

// downloads are read to their end, one after the other.
func (r *Run) downloads(ctx context.Context) {
	defer r.inFlight.Done()
	for ctx.Err() == nil {
		if err := r.download(); err != nil {
			r.note(&r.report.Downloads.Failed, err)
			time.Sleep(pause)
			continue
		}
		r.count(&r.report.Downloads.Done)
	}
}

func (r *Run) download() error {
	ctx, cancel := context.WithTimeout(r.saysSentAgain(context.Background()), settle)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url(r.plan.DownloadPath), http.NoBody)
	if err != nil {
		return err
	}
	response, err := r.client().Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	length, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		return fmt.Errorf("download ended after %d bytes: %w", length, err)
	}
	if response.StatusCode != http.StatusOK || (response.ContentLength >= 0 && length != response.ContentLength) {
		return fmt.Errorf("download: %s, %d of %d bytes", response.Status, length, response.ContentLength)
	}
	return nil
}
