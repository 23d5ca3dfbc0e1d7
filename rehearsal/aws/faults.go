package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Fault is something that AWS does wrong, once it is asked for an operation on a resource. A test leaves them in the
// account's folder, as a list in faults.json; each is used up by what it says it happens to.
type Fault struct {
	// Operation is create, update or delete; Name is the resource's in the program. Empty, they mean every one.
	Operation, Name string
	// Kind is what happens. refuse: the operation is answered by Error and nothing is done. hold: no answer comes and
	// nothing is done. lose: it is done, and no answer comes. late: it is done, after Seconds.
	Kind    string
	Error   string
	Seconds float64
	// Times is how often it happens; 0 is once, below 0 is always.
	Times int
}

// faultedFile in the account's folder says, one per line, which faults came to pass: "hold create vpc".
const faultedFile = "faulted"

// fault takes the first fault that waits for the operation. Where there is none, which is always so in a rehearsal that
// is not disturbed, its Kind is "".
func (p *Provider) fault(operation, name string) (Fault, error) {
	p.faults.Lock()
	defer p.faults.Unlock()
	file := filepath.Join(p.dir, "faults.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Fault{}, nil
	}
	var waiting []Fault
	if err == nil {
		err = json.Unmarshal(text, &waiting)
	}
	if err != nil {
		return Fault{}, fmt.Errorf("read %s: %w", file, err)
	}
	for i, found := range waiting {
		if found.Operation != "" && found.Operation != operation || found.Name != "" && found.Name != name {
			continue
		}
		if found.Times <= 1 && found.Times >= 0 {
			waiting = append(waiting[:i], waiting[i+1:]...)
		} else if found.Times > 1 {
			waiting[i].Times--
		}
		left, err := json.Marshal(waiting)
		if err == nil {
			err = os.WriteFile(file, left, 0o600)
		}
		return found, err
	}
	return Fault{}, nil
}

// disturbed runs an operation as the fault that waits for it has it.
func (p *Provider) disturbed(ctx context.Context, operation, name string, run func() error) error {
	found, err := p.fault(operation, name)
	if err != nil {
		return err
	}
	switch found.Kind {
	case "":
		return run()
	case "lose":
		if err := run(); err != nil {
			return err
		}
	case "late":
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(found.Seconds * float64(time.Second))):
		}
		err = run()
	}
	if noted := note(p.dir, found.Kind+" "+operation+" "+name); noted != nil {
		return noted
	}
	switch found.Kind {
	case "refuse":
		return errors.New(found.Error)
	case "hold", "lose":
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func note(dir, line string) error {
	file, err := os.OpenFile(filepath.Join(dir, faultedFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, line)
	return errors.Join(err, file.Close())
}
