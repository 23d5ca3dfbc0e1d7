package cloudwatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// kept is how long datapoints stay: longer than any alarm looks back.
const kept = 3 * time.Hour

// Files of the service.
const (
	metricsFile       = "metrics.json"
	measuredFile      = "measured.json"
	alarmsFile        = "alarms.json"
	notificationsFile = "notifications.jsonl"
)

// Measured adds what AWS itself measures to the datapoints of the service whose files are in dir. It is for the one program that stands
// in for those services of AWS: the file is its own, so that two programs never write one.
func Measured(dir string, points []Datapoint, now time.Time) error {
	return store(filepath.Join(dir, measuredFile), points, now)
}

// store adds datapoints to those that a server sent.
func (s *Service) store(points []Datapoint, now time.Time) error {
	return store(filepath.Join(s.dir, metricsFile), points, now)
}

// store adds datapoints to those of a file, and drops what no alarm uses any more.
func store(file string, points []Datapoint, now time.Time) error {
	var all []Datapoint
	if err := read(file, &all); err != nil {
		return err
	}
	all = slices.DeleteFunc(append(all, points...), func(p Datapoint) bool { return p.Time.Before(now.Add(-kept)) })
	return replace(file, all)
}

// points are the datapoints that are there: those that a server sent, and those that AWS measures.
func (s *Service) points() ([]Datapoint, error) {
	var sent, measured []Datapoint
	err := errors.Join(read(filepath.Join(s.dir, metricsFile), &sent), read(filepath.Join(s.dir, measuredFile), &measured))
	return append(sent, measured...), err
}

// read reads a file of JSON; without one, into stays as it is.
func read(file string, into any) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w; remove it to start again", file, err)
	}
	return nil
}

// replace writes a file of JSON at once: a reader sees the old or the new one.
func replace(file string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// add appends a line of JSON to a file.
func add(file string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = log.Write(append(text, '\n'))
	return errors.Join(err, log.Close())
}
