package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// asked is a resource that AWS was asked for, without Pulumi hearing the answer.
type asked struct {
	// Name is its name in the program, Type Pulumi's.
	Name, Type string
	// Inputs are what AWS was asked for.
	Inputs map[string]any
}

// operation is a pending one of a state.
type operation struct {
	Resource map[string]json.RawMessage `json:"resource"`
	Type     string                     `json:"type"`
}

// creating is Pulumi's name for an operation that makes a resource.
const creating = "creating"

// state is an exported one, of which no more is read than has to be: the rest stays as it is.
type state struct {
	whole, deployment map[string]json.RawMessage
	resources         []json.RawMessage
	pending           []operation
}

func read(exported []byte) (*state, error) {
	s := &state{}
	if err := json.Unmarshal(exported, &s.whole); err != nil {
		return nil, fmt.Errorf("read the exported state: %w", err)
	}
	if err := json.Unmarshal(s.whole["deployment"], &s.deployment); err != nil {
		return nil, fmt.Errorf("read the exported state's deployment: %w", err)
	}
	for key, into := range map[string]any{"resources": &s.resources, "pending_operations": &s.pending} {
		if text, ok := s.deployment[key]; ok {
			if err := json.Unmarshal(text, into); err != nil {
				return nil, fmt.Errorf("read the exported state's %s: %w", key, err)
			}
		}
	}
	return s, nil
}

// write is the state as Pulumi imports it.
func (s *state) write() ([]byte, error) {
	for key, value := range map[string]any{"resources": s.resources, "pending_operations": s.pending} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		s.deployment[key] = text
	}
	text, err := json.Marshal(s.deployment)
	if err != nil {
		return nil, err
	}
	s.whole["deployment"] = text
	return json.Marshal(s.whole)
}

// asked lists what AWS may have made. A component is Pulumi's own and nothing of AWS's.
func (s *state) asked() ([]asked, error) {
	var all []asked
	for _, operation := range s.pending {
		var resource struct {
			URN, Type string
			Custom    bool
			Inputs    map[string]any
		}
		text, err := json.Marshal(operation.Resource)
		if err == nil {
			err = json.Unmarshal(text, &resource)
		}
		if err != nil {
			return nil, fmt.Errorf("read a pending operation: %w", err)
		}
		if operation.Type == creating && resource.Custom {
			all = append(all, asked{Name: nameOf(resource.URN), Type: resource.Type, Inputs: resource.Inputs})
		}
	}
	return all, nil
}

// recover makes the pending resources with the names in ids resources of the state, with the ids that AWS gave them. What
// they are like beyond what was asked for, a refresh reads.
func (s *state) recover(ids map[string]string) error {
	waiting := maps.Clone(ids)
	var left []operation
	for _, operation := range s.pending {
		var urn string
		if err := json.Unmarshal(operation.Resource["urn"], &urn); err != nil {
			return fmt.Errorf("read a pending operation's URN: %w", err)
		}
		id, ok := waiting[nameOf(urn)]
		if !ok || operation.Type != creating {
			left = append(left, operation)
			continue
		}
		delete(waiting, nameOf(urn))
		text, err := json.Marshal(id)
		if err != nil {
			return err
		}
		operation.Resource["id"] = text
		resource, err := json.Marshal(operation.Resource)
		if err != nil {
			return err
		}
		s.resources = append(s.resources, resource)
	}
	if len(waiting) > 0 {
		return fmt.Errorf("recover %s: AWS was not asked for a resource of that name; list those that it was asked for: go run ./cmd/recover",
			strings.Join(slices.Sorted(maps.Keys(waiting)), ", "))
	}
	s.pending = left
	return nil
}

func nameOf(urn string) string { return urn[strings.LastIndex(urn, "::")+2:] }
