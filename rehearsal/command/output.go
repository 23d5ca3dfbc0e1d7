package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// longestLine is the length in bytes from which on the real provider stops reading a command's output and the command
// hangs for good. Source: the token limit of bufio.Scanner, which it reads lines with.
const longestLine = 64 << 10

var errLongLine = errors.New("a line of output is longer than 64 KiB, on which the real provider hangs for ever: make the command print less, or set logging to none")

// result is what a finished command printed, without its final newline.
type result struct{ stdout, stderr string }

func (r result) properties() resource.PropertyMap {
	return resource.PropertyMap{
		"stdout": resource.NewStringProperty(r.stdout),
		"stderr": resource.NewStringProperty(r.stderr),
	}
}

// capture collects what a command prints, and shows its lines while they come.
type capture struct {
	stdout, stderr stream

	lock sync.Mutex
	// both holds the two streams as they came.
	both bytes.Buffer
	show func(line string)
	// abort ends the command.
	abort context.CancelCauseFunc
}

// stream is one of the two that a command prints to.
type stream struct {
	capture *capture
	logged  bool
	all     bytes.Buffer
	// line is the part of a line that has no end yet.
	line []byte
}

// newCapture logs as a resource's logging property says; "" is the default, both streams.
func newCapture(logging string, abort context.CancelCauseFunc, show func(line string)) *capture {
	c := &capture{show: show, abort: abort}
	c.stdout = stream{capture: c, logged: logging == "" || logging == "stdout" || logging == "stdoutAndStderr"}
	c.stderr = stream{capture: c, logged: logging == "" || logging == "stderr" || logging == "stdoutAndStderr"}
	return c
}

// Write takes what the command printed.
func (s *stream) Write(printed []byte) (int, error) {
	s.capture.lock.Lock()
	defer s.capture.lock.Unlock()
	s.all.Write(printed)
	s.capture.both.Write(printed)
	if !s.logged {
		return len(printed), nil
	}
	s.line = append(s.line, printed...)
	for {
		line, rest, ended := bytes.Cut(s.line, []byte("\n"))
		if len(line) >= longestLine {
			s.capture.abort(errLongLine)
			return len(printed), errLongLine
		}
		if !ended {
			return len(printed), nil
		}
		s.flush(line)
		s.line = rest
	}
}

func (s *stream) flush(line []byte) {
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
		s.capture.show(string(line))
	}
}

// finish gives the command's result. Its error tells the whole command and all that it printed, as the real provider's
// does, which is why neither may hold a secret.
func (c *capture) finish(ctx context.Context, command string, failure error) (result, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, s := range []*stream{&c.stdout, &c.stderr} {
		s.flush(s.line)
	}
	if ctx.Err() != nil {
		failure = context.Cause(ctx)
	}
	if failure != nil {
		return result{}, fmt.Errorf("%w: running %q:\n%s", failure, command, c.both.String())
	}
	return result{
		stdout: strings.TrimSuffix(c.stdout.all.String(), "\n"),
		stderr: strings.TrimSuffix(c.stderr.all.String(), "\n"),
	}, nil
}
