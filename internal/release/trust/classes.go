// Package trust says what of an app would let its containers out of their own confines.
package trust

import (
	"bytes"
	_ "embed" // for allowed.json
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Class is what is known of some keys of a compose file.
type Class struct {
	// Why they are classed so.
	Why string `json:"why"`
	// Keys are paths below At, * for any name. Without more they are harmless with every value.
	At   string `json:"at"`
	Keys string `json:"keys"`
	// Values is the pattern of the harmless values, Names that of the harmless names below a key; Not has those of Compose's
	// schema that are known not to be.
	Values string `json:"values"`
	Names  string `json:"names"`
	Not    string `json:"not"`
	// Path: the value has to be a file of the checkout. Refuse: none is harmless. Build: it is about how an image is built.
	Path bool `json:"path"`
	// Ignored: it has no effect on the server.
	Ignored bool `json:"ignored"`
	Refuse  bool `json:"refuse"`
	Build   bool `json:"build"`
	// ID is the kind of problem that what is not harmless is; docs/problems.md lists them.
	ID string `json:"id"`
	// Says is what is said of what is not harmless, by value where there are several; Allow is the name that lets it through,
	// without which nothing does.
	Says  sentences `json:"says"`
	Allow string    `json:"allow"`
}

// sentences are by values, "" for any other.
type sentences map[string]string

func (s *sentences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*s = sentences{"": one}
		return nil
	}
	return json.Unmarshal(text, (*map[string]string)(s))
}

// node is a key of a compose file with what is known of it and of the keys below it.
type node struct {
	class *Class
	below map[string]*node
}

//go:embed allowed.json
var allowed []byte

// Classes are those of allowed.json.
func Classes() ([]Class, error) {
	var all []Class
	decoder := json.NewDecoder(bytes.NewReader(allowed))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		return nil, fmt.Errorf("read allowed.json: %w", err)
	}
	return all, nil
}

// tree has the classes by their keys.
var tree = sync.OnceValues(func() (*node, error) {
	all, err := Classes()
	if err != nil {
		return nil, err
	}
	root := &node{below: map[string]*node{}}
	for i := range all {
		for _, key := range strings.Split(all[i].Keys, " ") {
			at := root
			for _, name := range strings.Split(all[i].At+"."+key, ".") {
				if name == "" {
					continue
				}
				if at.below[name] == nil {
					at.below[name] = &node{below: map[string]*node{}}
				}
				at = at.below[name]
			}
			at.class = &all[i]
		}
	}
	return root, nil
})

var patterns sync.Map

// whole says whether a pattern matches a text from its beginning to its end.
func whole(text, pattern string) bool {
	compiled, ok := patterns.Load(pattern)
	if !ok {
		compiled, _ = patterns.LoadOrStore(pattern, regexp.MustCompile(`\A(?:`+pattern+`)\z`))
	}
	return compiled.(*regexp.Regexp).MatchString(text)
}
